-- ARGV: build, project, team, concurrency, priority, expected seconds, arrival in milliseconds, holder, lease in milliseconds.
-- Leases a build to who had it when Redis lost the lease. Answers 0 when somebody holds it.
local build, expected, holder, milliseconds = ARGV[1], ARGV[6], ARGV[8], tonumber(ARGV[9])
local entry = entry_of(build)
if entry and entry.holder then return 0 end
if entry then
  leave_line(build, entry)
else
  entry = add_entry(build, ARGV[2], ARGV[3], ARGV[4], ARGV[5], expected, ARGV[7])
end
lease(build, entry, holder, milliseconds)
charge(team_of(entry.team), project_of(entry.project), tonumber(expected))
settle(entry.project)
write()
return 1
