-- ARGV: build, project, team, concurrency, priority, expected seconds, arrival in milliseconds ('' for now), limit of waiting
-- builds. Answers 0 when the queue is full, else 1. Twice is once.
local build, project, team, concurrency, priority = unpack(ARGV, 1, 5)
if redis.call('EXISTS', key('entry:' .. build)) == 1 then return 1 end
if number(redis.call('GET', key('waiting')), 0) >= tonumber(ARGV[8]) then return 0 end
local order = add_entry(build, project, team, priority, ARGV[6], ARGV[7])
local known = project_of(project)
wait_in_line(build, project, priority, order)
-- Who waits behind others of the same project changes nothing for anybody.
if known.team == team and known.limit == tonumber(concurrency) and redis.call('ZCARD', key('line:' .. project)) > 1 then
  return 1
end
declare(project, team, concurrency)
refresh(project)
return 1
