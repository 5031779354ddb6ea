-- ARGV: limit ('' for none), paused (1 or 0): drained, nothing is claimed any more.
local limit, paused = ARGV[1], ARGV[2]
if limit == '' then redis.call('HDEL', key('fleet'), 'limit') else redis.call('HSET', key('fleet'), 'limit', limit) end
if paused == '1' then redis.call('HSET', key('fleet'), 'paused', 1) else redis.call('HDEL', key('fleet'), 'paused') end
redis.call('PUBLISH', key('work'), '')
return 1
