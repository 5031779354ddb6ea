-- ARGV: limit of waiting builds, then of each in turn: build, project, team, concurrency, priority, expected seconds, arrival in
-- milliseconds ('' for now). Answers of each 0 when the queue is full, else 1. Twice is once.
local limit = tonumber(ARGV[1])
local fields = { 'fleet' }
for at = 2, #ARGV, 7 do
  add(fields, 'build:' .. ARGV[at], 'project:' .. ARGV[at + 1])
  add(fields, 'team:' .. ARGV[at + 2])
end
read(fields)
local answers, changed, fleet = {}, {}, fleet_of_all()
for at = 2, #ARGV, 7 do
  local build, project = ARGV[at], ARGV[at + 1]
  local known = entry_of(build)
  local accepted = known or fleet.waiting < limit
  if accepted and not known then
    wait_in_line(build, add_entry(unpack(ARGV, at, at + 6)))
    changed[project] = true
  end
  answers[#answers + 1] = accepted and 1 or 0
end
for project in pairs(changed) do settle(project) end
write()
return answers
