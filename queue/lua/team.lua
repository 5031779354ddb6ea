-- ARGV: team, weight, limit ('' for none), paused ('' when not), version ('' for none). Counts at once.
local team, weight, limit, paused, version = unpack(ARGV, 1, 5)
local hash = key('team:' .. team)
if is_outdated(hash, version) then return 0 end
redis.call('HSET', hash, 'weight', weight)
set_or_drop(hash, 'limit', limit)
set_or_drop(hash, 'paused', paused)
refresh_team(team)
return 1
