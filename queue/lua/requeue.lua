-- ARGV: build. A leased build waits again, at its old place in line.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'runner', 'project', 'concurrency', 'order')
if not entry[1] then return 0 end
end_lease(build, entry[2])
redis.call('HDEL', key('entry:' .. build), 'runner')
wait_in_line(build, entry[2], entry[4])
refresh(entry[2], entry[3])
return 1
