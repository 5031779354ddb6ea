-- ARGV: build, project, team, concurrency, priority, expected seconds, limit of waiting builds. Answers 0 when the queue is
-- full, else 1. Twice is once.
local build, project, team, concurrency, priority, expected = unpack(ARGV, 1, 6)
if redis.call('EXISTS', key('entry:' .. build)) == 1 then return 1 end
if number(redis.call('GET', key('waiting')), 0) >= tonumber(ARGV[7]) then return 0 end
local order = redis.call('INCR', key('order'))
redis.call('HSET', key('entry:' .. build),
  'project', project, 'team', team, 'order', order, 'priority', priority, 'expected', expected)
local known = project_of(project)
wait_in_line(build, project, priority, order)
-- Who waits behind others of the same project changes nothing for anybody.
if known.team == team and known.limit == tonumber(concurrency) and redis.call('ZCARD', key('line:' .. project)) > 1 then
  return 1
end
redis.call('HSET', key('project:' .. project), 'team', team, 'limit', concurrency)
redis.call('PERSIST', key('project:' .. project))
known.team, known.limit = team, tonumber(concurrency)
refresh(project)
return 1
