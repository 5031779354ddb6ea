-- ARGV: build, holder, place ('' to leave it as it is). The holder's lease runs out now.
local build, holder, place = ARGV[1], ARGV[2], ARGV[3]
local entry = entry_of(build)
if not entry or entry.holder ~= holder then return 0 end
if place ~= '' then entry.place = place end
entry.handed = true
call('ZADD', leases, now(), build)
call('PUBLISH', prefix .. ':work', '')
write()
return 1
