-- ARGV: build. Whoever holds it, it is gone; one that does and was not heard for a while is told when it asks again.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'team', 'holder')
if not entry[1] then return 0 end
if entry[3] then redis.call('SET', key('over:' .. build), '', 'PX', 60000) end
leave_line(build, entry[1])
end_lease(build, entry[2], entry[1])
redis.call('DEL', key('entry:' .. build))
refresh(entry[1])
return 1
