-- ARGV: builds. Whether runners hold back, then of each build that waits its place in its project's line, from 0, and what it
-- waits for with the limit that is reached; false of others.
local builds, projects_and_teams = {}, { 'fleet' }
for at, build in ipairs(ARGV) do builds[at] = 'build:' .. build end
read(builds)
for _, build in ipairs(ARGV) do
  local entry = entry_of(build)
  if entry then add(projects_and_teams, 'project:' .. entry.project, 'team:' .. entry.team) end
end
read(projects_and_teams)
local answers = { call('EXISTS', prefix .. ':held-back') }
for at, build in ipairs(ARGV) do
  local entry = entry_of(build)
  local waits = entry and not entry.holder
  answers[at + 1] = waits and { call('ZRANK', prefix .. ':line:' .. entry.project, build), waits_for(entry.project) } or false
end
return answers
