-- ARGV: project, concurrency. Counts at once, also for builds that wait already; a project without entries is left out.
local project, concurrency = ARGV[1], ARGV[2]
local known = redis.call('HGET', key('project:' .. project), 'limit')
if not known or known == concurrency then return 0 end
redis.call('HSET', key('project:' .. project), 'limit', concurrency)
refresh(project)
return 1
