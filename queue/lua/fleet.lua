-- ARGV: limit ('' for none), paused ('' when not): drained, nothing is claimed any more.
local limit, paused = ARGV[1], ARGV[2]
set_or_drop(key('fleet'), 'limit', limit)
set_or_drop(key('fleet'), 'paused', paused)
redis.call('PUBLISH', key('work'), '')
return 1
