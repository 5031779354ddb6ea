-- ARGV: build, holder, place ('' to leave it as it is). The holder's lease runs out now.
local build, holder, place = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', key('entry:' .. build), 'holder') ~= holder then return 0 end
if place ~= '' then redis.call('HSET', key('entry:' .. build), 'place', place) end
redis.call('HSET', key('entry:' .. build), 'handed', 1)
redis.call('ZADD', key('leases'), now(), build)
redis.call('PUBLISH', key('work'), '')
return 1
