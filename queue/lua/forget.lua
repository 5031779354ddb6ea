-- ARGV: build. Whoever holds it, it is gone.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'concurrency')
if not entry[1] then return 0 end
leave_line(build, entry[1])
end_lease(build, entry[1])
redis.call('DEL', key('entry:' .. build))
refresh(entry[1], entry[2])
return 1
