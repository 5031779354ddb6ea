-- ARGV: limit ('' for none), paused ('' when not): drained, nothing is claimed any more; version ('' for none).
local limit, paused, version = ARGV[1], ARGV[2], ARGV[3]
if is_outdated(key('fleet'), version) then return 0 end
set_or_drop(key('fleet'), 'limit', limit)
set_or_drop(key('fleet'), 'paused', paused)
redis.call('PUBLISH', key('work'), '')
return 1
