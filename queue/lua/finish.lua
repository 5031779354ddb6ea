-- ARGV: build, holder. Forgets the build when its lease is the holder's.
local build, holder = ARGV[1], ARGV[2]
local entry = redis.call('HMGET', key('entry:' .. build), 'holder', 'project', 'team')
if entry[1] ~= holder then return 0 end
end_lease(build, entry[3], entry[2])
redis.call('DEL', key('entry:' .. build))
refresh(entry[2])
return 1
