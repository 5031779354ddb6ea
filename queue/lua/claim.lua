-- ARGV, of each claim in turn: holder, lease in milliseconds, place ('' for none), '1' for none that waits, else '', a build that its
-- holder is done with, and that holder ('' for none). Ends those leases, then gives each holder a build whose VM is reached from the
-- place, or else the first build of the project that is due first in the team that is: build, project, team, and of the former who
-- held it since it was claimed, a line each, and 1 when the last of them handed it over, else 0; false when there is none.
-- One whose lease ran out, unless it is to be cancelled. It was leased and stays so: no count changes. Written at once: the next
-- must not take it over, too.
local function take_over(holder, milliseconds, place)
  for _, build in ipairs(call('ZRANGE', leases, '-inf', now(), 'BYSCORE', 'LIMIT', 0, 1000)) do
    local entry = entry_of(build)
    if entry and entry.place == place and not entry.cancel then
      -- Who took it over and died before the API heard of that is no holder there.
      entry.before = entry.before and (entry.before .. '\n' .. entry.holder) or entry.holder
      local handed = entry.handed and 1 or 0
      entry.holder, entry.handed = holder, nil
      call('ZADD', leases, now() + milliseconds, build)
      return { build, entry.project, entry.team, entry.before, handed }
    end
  end
end

local claim

-- Where Redis threw away a part of what it had, a line may be too short or name a build that is not there: the next is given.
local function drop_one(project_id, project, ...)
  local fleet = fleet_of_all()
  project.waiting, fleet.waiting = project.waiting - 1, fleet.waiting - 1
  settle(project_id)
  return claim(...)
end

function claim(holder, milliseconds)
  local first = call('ZRANGE', ready, 0, 0, 'WITHSCORES')
  local team_id, start = first[1], tonumber(first[2])
  if not team_id then return false end
  local due = call('ZRANGE', ready .. ':' .. team_id, 0, 0, 'WITHSCORES')
  local project_id, project_start = due[1], tonumber(due[2])
  read({ 'fleet', 'team:' .. team_id, 'project:' .. project_id })
  local fleet, team, project = fleet_of_all(), team_of(team_id), project_of(project_id)
  if not has_room(fleet) then return false end
  local build = call('ZPOPMIN', prefix .. ':line:' .. project_id)[1]
  local entry = build and entry_of(build)
  if not entry then return drop_one(project_id, project, holder, milliseconds) end
  count_waiting(entry, -1)
  lease(build, entry, holder, milliseconds)
  -- The clocks move to who is served; who has more work is due again when the others had as much.
  fleet.clock, team.clock = start, project_start
  team.next, project.next = start, project_start
  charge(team, project, entry.expected)
  settle(project_id)
  return { build, project_id, team_id }
end

local done, done_by = {}, {}
for at = 1, #ARGV, 6 do
  if ARGV[at + 4] ~= '' then done[#done + 1], done_by[#done_by + 1] = ARGV[at + 4], ARGV[at + 5] end
end
if #done > 0 then finish(done, done_by) end
local answers = {}
for at = 1, #ARGV, 6 do
  local holder, milliseconds, place = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local taken = place ~= '' and take_over(holder, milliseconds, place)
  answers[#answers + 1] = taken or ARGV[at + 3] == '' and claim(holder, milliseconds)
end
write()
return answers
