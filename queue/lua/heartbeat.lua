-- ARGV: build, runner, lease in milliseconds. Only the runner that holds the lease can extend it.
local build, runner, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local entry = redis.call('HMGET', key('entry:' .. build), 'runner', 'cancel')
if entry[1] ~= runner then return 'lost' end
redis.call('ZADD', key('leases'), now() + lease, build)
if entry[2] then return 'cancel' end
return 'held'
