-- ARGV: build, holder. A leased build waits again, at its old place in line: when the lease is the holder's, or has run
-- out, whoever held it. Of two that ask at once the second changes nothing.
local build, holder = ARGV[1], ARGV[2]
local entry = entry_of(build)
if not entry or not entry.holder then return 0 end
if entry.holder ~= holder and (tonumber(call('ZSCORE', leases, build)) or 0) > now() then return 0 end
end_lease(build, entry)
entry.holder, entry.since, entry.place, entry.before, entry.handed = nil, nil, nil, nil, nil
wait_in_line(build, entry)
settle(entry.project)
write()
return 1
