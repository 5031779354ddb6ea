-- ARGV: team, weight, limit ('' for none), paused (1 or 0). Counts at once.
local team, weight, limit, paused = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local hash = key('team:' .. team)
redis.call('HSET', hash, 'weight', weight)
if limit == '' then redis.call('HDEL', hash, 'limit') else redis.call('HSET', hash, 'limit', limit) end
if paused == '1' then redis.call('HSET', hash, 'paused', 1) else redis.call('HDEL', hash, 'paused') end
refresh_team(team)
return 1
