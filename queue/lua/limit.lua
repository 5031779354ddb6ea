-- ARGV: project, concurrency. Counts at once, also for builds that wait already; a project without entries is left out.
local project, concurrency = ARGV[1], ARGV[2]
if redis.call('EXISTS', key('limit:' .. project)) == 0 then return 0 end
if redis.call('GET', key('limit:' .. project)) == concurrency then return 0 end
redis.call('SET', key('limit:' .. project), concurrency)
refresh(project)
return 1
