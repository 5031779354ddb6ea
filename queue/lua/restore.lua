-- ARGV: build, project, team, concurrency, priority, expected seconds, arrival in milliseconds, holder, lease in milliseconds, and
-- who Redis says holds it ('' when nobody does), whose lease it then was before. Leases a build to who had it when Redis lost the
-- lease. Answers 0 when another one holds it, or who took it over from the holder does.
local build, expected, holder, milliseconds, earlier = ARGV[1], ARGV[6], ARGV[8], tonumber(ARGV[9]), ARGV[10]
local entry = entry_of(build)
if entry and entry.holder then
  if entry.holder ~= earlier or was_taken_from(entry, holder) then return 0 end
  -- It was leased and stays so: no count changes.
  entry.before = entry.before and (entry.before .. '\n' .. earlier) or earlier
  entry.holder, entry.place, entry.handed = holder, nil, nil
  call('ZADD', leases, now() + milliseconds, build)
  write()
  return 1
end
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
