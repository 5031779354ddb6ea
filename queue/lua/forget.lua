-- ARGV: build. Whoever holds it, it is gone.
local build = ARGV[1]
local entry = entry_of(build)
if not entry then return 0 end
if entry.holder then end_lease(build, entry) else leave_line(build, entry) end
remove_entry(build, entry)
settle(entry.project)
write()
return 1
