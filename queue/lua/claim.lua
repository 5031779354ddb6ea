-- ARGV: holder, lease in milliseconds. Leases the first build of the project that is next in virtual time.
local holder, lease = ARGV[1], tonumber(ARGV[2])
local head = redis.call('ZRANGE', key('ready'), 0, 0, 'WITHSCORES')
if #head == 0 then return nil end
local project, start = head[1], head[2]
local build = redis.call('ZRANGE', key('line:' .. project), 0, 0)[1]
local team = redis.call('HGET', key('entry:' .. build), 'team')
leave_line(build, project)
redis.call('SADD', key('leased:' .. project), build)
redis.call('ZADD', key('leases'), now() + lease, build)
redis.call('HSET', key('entry:' .. build), 'holder', holder)
-- The clock moves to the project served; when it has more work it starts one unit later than the others.
redis.call('SET', key('clock'), start)
redis.call('ZREM', key('ready'), project)
refresh(project)
return { build, project, team }
