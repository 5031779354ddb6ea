-- ARGV: build. Whoever holds it, it is gone.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'team')
if not entry[1] then return 0 end
leave_line(build, entry[1])
end_lease(build, entry[2], entry[1])
redis.call('DEL', key('entry:' .. build))
refresh(entry[1])
return 1
