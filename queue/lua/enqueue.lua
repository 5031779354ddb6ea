-- ARGV: build, project, team, concurrency, limit. Answers 0 when the queue is full, else 1. Twice is once.
local build, project, team, concurrency, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('EXISTS', key('entry:' .. build)) == 1 then return 1 end
if tonumber(redis.call('GET', key('waiting')) or '0') >= limit then return 0 end
local order = redis.call('INCR', key('order'))
redis.call('HSET', key('entry:' .. build),
  'project', project, 'team', team, 'order', order)
redis.call('SET', key('limit:' .. project), concurrency)
wait_in_line(build, project, order)
refresh(project)
return 1
