-- ARGV: build, project, team, concurrency, priority, expected seconds, arrival in milliseconds ('' for now), limit of waiting
-- builds. Answers 0 when the queue is full, else 1. Twice is once.
local build, project, priority = ARGV[1], ARGV[2], ARGV[5]
if redis.call('EXISTS', key('entry:' .. build)) == 1 then return 1 end
if number(redis.call('GET', key('waiting')), 0) >= tonumber(ARGV[8]) then return 0 end
local order = add_entry(unpack(ARGV, 1, 7))
wait_in_line(build, project, priority, order)
refresh(project)
return 1
