-- ARGV: build. Whoever holds it, it is gone.
local build = ARGV[1]
local project = redis.call('HGET', key('entry:' .. build), 'project')
if not project then return 0 end
leave_line(build, project)
end_lease(build, project)
redis.call('DEL', key('entry:' .. build))
refresh(project)
return 1
