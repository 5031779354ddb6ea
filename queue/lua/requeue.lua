-- ARGV: build, holder. A leased build waits again, at its old place in line: when the lease is the holder's, or has run
-- out, whoever held it. Of two that ask at once the second changes nothing.
local build, holder = ARGV[1], ARGV[2]
local entry = redis.call('HMGET', key('entry:' .. build), 'holder', 'project', 'team', 'priority', 'order')
if not entry[1] then return 0 end
local deadline = tonumber(redis.call('ZSCORE', key('leases'), build) or '0')
if entry[1] ~= holder and deadline > now() then return 0 end
end_lease(build, entry[3], entry[2])
redis.call('HDEL', key('entry:' .. build), 'holder', 'since', 'place', 'before', 'handed')
wait_in_line(build, entry[2], entry[4], entry[5])
refresh(entry[2])
return 1
