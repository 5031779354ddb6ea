-- ARGV: build, holder. The holder's lease runs out now.
local build, holder = ARGV[1], ARGV[2]
if redis.call('HGET', key('entry:' .. build), 'holder') ~= holder then return 0 end
redis.call('ZADD', key('leases'), now(), build)
redis.call('PUBLISH', key('work'), '')
return 1
