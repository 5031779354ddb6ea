-- ARGV: runner, lease in milliseconds. Leases the first build of the project that is next in virtual time.
local runner, lease = ARGV[1], tonumber(ARGV[2])
local head = redis.call('ZRANGE', key('ready'), 0, 0, 'WITHSCORES')
if #head == 0 then return nil end
local project, start = head[1], head[2]
local build = redis.call('ZRANGE', key('line:' .. project), 0, 0)[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'team', 'concurrency')
leave_line(build, project)
redis.call('SADD', key('leased:' .. project), build)
redis.call('ZADD', key('leases'), now() + lease, build)
redis.call('HSET', key('entry:' .. build), 'runner', runner)
-- The clock moves to the project served; when it has more work it starts one unit later than the others.
redis.call('SET', key('clock'), start)
redis.call('ZREM', key('ready'), project)
refresh(project, entry[2])
return { build, project, entry[1], entry[2] }
