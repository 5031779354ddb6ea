-- ARGV: team, weight, limit ('' for none), paused ('' when not). Counts at once.
local team, weight, limit, paused = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local hash = key('team:' .. team)
redis.call('HSET', hash, 'weight', weight)
set_or_drop(hash, 'limit', limit)
set_or_drop(hash, 'paused', paused)
refresh_team(team)
return 1
