-- ARGV: build, project, team, concurrency, priority, expected seconds, arrival in milliseconds, holder, lease in milliseconds.
-- Leases a build to who had it when Redis lost the lease. Answers 0 when somebody holds it.
local build, expected, holder, lease = ARGV[1], ARGV[6], ARGV[8], tonumber(ARGV[9])
local entry = redis.call('HMGET', key('entry:' .. build), 'holder', 'project', 'team')
if entry[1] then return 0 end
local project, team = entry[2] or ARGV[2], entry[3] or ARGV[3]
if entry[2] then
  leave_line(build, project)
else
  add_entry(build, project, team, ARGV[5], expected, ARGV[7])
  declare(project, team, ARGV[4])
end
local at = now()
redis.call('ZADD', key('leases'), at + lease, build)
redis.call('HSET', key('entry:' .. build), 'holder', holder, 'since', at)
count_lease(team, project, 1)
charge(team, project, number(expected, 1))
refresh(project)
return 1
