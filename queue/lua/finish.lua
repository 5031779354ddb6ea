-- ARGV: build, runner. Forgets the build when the runner holds its lease.
local build, runner = ARGV[1], ARGV[2]
local entry = redis.call('HMGET', key('entry:' .. build), 'runner', 'project', 'concurrency')
if entry[1] ~= runner then return 0 end
end_lease(build, entry[2])
redis.call('DEL', key('entry:' .. build))
refresh(entry[2], entry[3])
return 1
