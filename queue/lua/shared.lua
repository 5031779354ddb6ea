-- Put before each script. All keys share the hash tag of the prefix, so that they live in one slot of a cluster.
--   state        hash of packed values (MessagePack, one after the other):
--     fleet        limit, paused, leased, waiting, clock (virtual time among teams), order (of the last that came), version (of
--                  limit and paused; nothing is claimed while there is none, as after a loss)
--     team:T       weight, limit, paused, leased, next (virtual time from which it is due), clock (virtual time among its
--                  projects), ready (how many projects are in ready:T), version (of weight, limit and paused)
--     project:P    team, limit (how many may be leased at once), leased, waiting, next
--     build:B      project, team, priority, expected (seconds), order; while leased also holder, place (from where its VM can be
--                  taken over), before (who it was taken from, a line each), cancel, since, handed (over by its holder)
--   line:P       sorted set: builds of a project that wait, by priority and order of arrival
--   ready:T      sorted set: projects of a team that have work and room, by virtual start
--   ready        sorted set: teams that have such projects and room, by virtual start
--   leases       sorted set: leased builds, by the deadline of the lease in milliseconds
--   lines        set: projects with builds that wait
--   idle         sorted set: projects without builds, by the milliseconds since when
--   over:B       there for a minute when a leased build was forgotten
--   held-back    there while a runner that would take a build has no VM for it
--   sweeper      who sweeps
--   walked       the run of Redis in which the sweeper has been through everything, or the walk that is under way and its run
--
-- Start-time fair queueing in two levels: who is due first in virtual time is served; each served second moves a team on by
-- 1/weight, a project by 1. What a build will take is guessed when it is claimed and put right when its lease ends.
local call, encode, decode = redis.call, cmsgpack.pack, cmsgpack.unpack
local prefix = KEYS[1]
local state, ready, leases = prefix .. ':state', prefix .. ':ready', prefix .. ':leases'

local time
local function now()
  if not time then
    local seconds = call('TIME')
    time = seconds[1] * 1000 + math.floor(seconds[2] / 1000)
  end
  return time
end

-- Virtual time is in whole microseconds: Redis reads and writes whole numbers faster.
local second = 1000000
local forgotten_after = 3600000
local no_limit = 1000000000

-- Most of a script's time goes to calls: of `state` all is read at once, changed in these tables, and written at once by
-- `write`, where it changed.
local packed, fleets, teams, projects, entries = {}, {}, {}, {}, {}
-- And what else `write` does: entries to remove, leases to end and to begin, builds that join the lines of projects.
local removed, ended, leased, joined = {}, {}, {}, {}

-- Reads what was not read yet.
local function read(fields)
  local new = {}
  for _, field in ipairs(fields) do
    if packed[field] == nil then
      new[#new + 1] = field
      packed[field] = false
    end
  end
  if #new == 0 then return end
  local values = call('HMGET', state, unpack(new))
  for at, field in ipairs(new) do packed[field] = values[at] end
end

local function value_of(field)
  if packed[field] == nil then packed[field] = call('HGET', state, field) end
  return packed[field]
end

local function may_lease(one) return not one.paused and one.leased < (one.limit or no_limit) end

-- Whether the fleet, whose limit somebody told, has room.
local function has_room(fleet) return fleet.version and may_lease(fleet) end

-- Changes with each start of Redis, and when a replica takes over.
local function run_of_redis() return string.match(call('INFO', 'server'), 'run_id:(%x+)') end

-- Whether a later version of a team's or the fleet's share is known; else this one is, from now on. With `anyway` it is the later.
local function is_outdated(one, version, anyway)
  version = tonumber(version)
  if not version then return false end
  if one.version and one.version > version and anyway == '' then return true end
  one.version = version
  return false
end

local function fleet_of_all()
  local fleet = fleets[1]
  if fleet then return fleet end
  local value, limit, paused, leased, waiting, clock, order, version = value_of('fleet')
  if value then limit, paused, leased, waiting, clock, order, version = decode(value) end
  fleet = {
    limit = limit, paused = paused, leased = leased or 0, waiting = waiting or 0, clock = clock or 0, order = order or 0,
    version = version, had_room = false,
  }
  fleet.had_room = has_room(fleet)
  fleets[1] = fleet
  return fleet
end

local function team_of(id)
  local team = teams[id]
  if team then return team end
  local field = 'team:' .. id
  local value, weight, limit, paused, leased, next, clock, projects, version = value_of(field)
  if value then weight, limit, paused, leased, next, clock, projects, version = decode(value) end
  team = {
    field = field, weight = weight or 1, limit = limit, paused = paused, leased = leased or 0,
    next = next or 0, clock = clock or 0, ready = projects or 0, version = version,
    is_ready = false, was_ready = false, placed = next,
  }
  team.was_ready = team.ready > 0 and may_lease(team)
  team.is_ready = team.was_ready
  teams[id] = team
  return team
end

local function project_of(id)
  local project = projects[id]
  if project then return project end
  local field = 'project:' .. id
  local value, team, limit, leased, waiting, next = value_of(field)
  if value then team, limit, leased, waiting, next = decode(value) end
  project = {
    field = field, team = team, limit = limit or 1, leased = leased or 0, waiting = waiting or 0, next = next or 0,
    is_ready = false, has_line = false, is_idle = false, placed = next,
  }
  project.has_line = project.waiting > 0
  project.is_ready = project.has_line and may_lease(project)
  project.is_idle = value and project.waiting + project.leased == 0
  projects[id] = project
  return project
end

-- Nil when it is not there.
local function entry_of(build)
  local entry = entries[build]
  if entry then return entry end
  local field = 'build:' .. build
  local value = value_of(field)
  if not value then return nil end
  local project, team, priority, expected, order, holder, place, before, cancel, since, handed = decode(value)
  entry = {
    field = field, project = project, team = team, priority = priority, expected = expected, order = order,
    holder = holder, place = place, before = before, cancel = cancel, since = since, handed = handed,
  }
  entries[build] = entry
  return entry
end

-- Whether it was taken over from the holder, since it was claimed.
local function was_taken_from(entry, holder)
  return entry.before and string.find('\n' .. entry.before .. '\n', '\n' .. holder .. '\n', 1, true)
end

local function encode_entry(e)
  if not e.holder and not e.cancel then return encode(e.project, e.team, e.priority, e.expected, e.order) end
  return encode(e.project, e.team, e.priority, e.expected, e.order, e.holder, e.place, e.before, e.cancel, e.since, e.handed)
end

local function add(list, a, b)
  local count = #list
  list[count + 1], list[count + 2] = a, b
end

-- Ends each script that changes something. Who waits for work is woken when a team comes in, or the fleet has room again: as
-- long as one is there, nobody waits.
local function write()
  local changes, wake = {}, false
  local function change(field, value)
    if value ~= packed[field] then add(changes, field, value) end
  end
  local fleet = fleets[1]
  if fleet then
    change('fleet', encode(fleet.limit, fleet.paused, fleet.leased, fleet.waiting, fleet.clock, fleet.order, fleet.version))
    wake = not fleet.had_room and has_room(fleet)
  end
  for _, team in pairs(teams) do
    change(team.field, encode(team.weight, team.limit, team.paused, team.leased, team.next, team.clock, team.ready, team.version))
    wake = wake or team.is_ready and not team.was_ready
  end
  for _, project in pairs(projects) do
    change(project.field, encode(project.team, project.limit, project.leased, project.waiting, project.next))
  end
  for _, entry in pairs(entries) do change(entry.field, encode_entry(entry)) end
  if #changes > 0 then call('HSET', state, unpack(changes)) end
  if #removed > 0 then call('HDEL', state, unpack(removed)) end
  if #ended > 0 then call('ZREM', leases, unpack(ended)) end
  if #leased > 0 then call('ZADD', leases, unpack(leased)) end
  for project, builds in pairs(joined) do call('ZADD', prefix .. ':line:' .. project, unpack(builds)) end
  if wake then call('PUBLISH', prefix .. ':work', '') end
end

-- Keeps this true: a team is in `ready` exactly when it has a project there and may lease another build. Its place is the
-- later of `next` and the clock; the clock does not pass who is there, so a place changes with `next` alone.
local function settle_team(id)
  local team = team_of(id)
  local may = team.ready > 0 and may_lease(team)
  if may and not (team.is_ready and team.placed == team.next) then
    call('ZADD', ready, math.max(team.next, fleet_of_all().clock), id)
  elseif team.is_ready and not may then
    call('ZREM', ready, id)
  end
  team.is_ready, team.placed = may, team.next
end

-- Not at once: who leaves and comes back must not be due earlier than who stayed.
local function settle_idle(id, is_idle)
  local idle = prefix .. ':idle'
  if not is_idle then return call('ZREM', idle, id) end
  call('ZADD', idle, now(), id)
  for _, old in ipairs(call('ZRANGE', idle, '-inf', now() - forgotten_after, 'BYSCORE', 'LIMIT', 0, 2)) do
    call('HDEL', state, 'project:' .. old)
    call('ZREM', idle, old)
  end
end

-- And this: a project is in its team's `ready` exactly when it has a waiting build and room for it.
local function settle(id)
  local project = project_of(id)
  local team = team_of(project.team)
  local may = project.waiting > 0 and may_lease(project)
  if may and not (project.is_ready and project.placed == project.next) then
    call('ZADD', ready .. ':' .. project.team, math.max(project.next, team.clock), id)
  elseif project.is_ready and not may then
    call('ZREM', ready .. ':' .. project.team, id)
  end
  if may ~= project.is_ready then team.ready = team.ready + (may and 1 or -1) end
  project.is_ready, project.placed = may, project.next
  local has_line = project.waiting > 0
  if has_line ~= project.has_line then call(has_line and 'SADD' or 'SREM', prefix .. ':lines', id) end
  project.has_line = has_line
  local is_idle = project.waiting + project.leased == 0
  if is_idle ~= (project.is_idle or false) then settle_idle(id, is_idle) end
  project.is_idle = is_idle
  settle_team(project.team)
end

-- Served seconds, or what was guessed too much of them, for a team and its project; `settle` is due.
local function charge(team, project, seconds)
  team.next = team.next + math.floor(seconds * second / team.weight + 0.5)
  project.next = project.next + math.floor(seconds * second + 0.5)
end

-- More than any order.
local band = 17592186044416

local function count_waiting(entry, by)
  local fleet, project = fleet_of_all(), project_of(entry.project)
  fleet.waiting, project.waiting = fleet.waiting + by, project.waiting + by
end

-- Highest priority first, then who came first.
local function wait_in_line(build, entry)
  local line = joined[entry.project] or {}
  joined[entry.project] = line
  add(line, -entry.priority * band + entry.order, build)
  count_waiting(entry, 1)
end

local function leave_line(build, entry)
  call('ZREM', prefix .. ':line:' .. entry.project, build)
  count_waiting(entry, -1)
end

-- The order is the milliseconds in which it arrived, or a few more, so that no two that are new have the same. One that was lost and
-- says when it arrived gets the place that it had.
local function add_entry(build, project_id, team_id, concurrency, priority, expected, arrived)
  local order = tonumber(arrived)
  if not order then
    local fleet = fleet_of_all()
    order = math.max(fleet.order + 1, now())
    fleet.order = order
  end
  local entry = {
    field = 'build:' .. build, project = project_id, team = team_id, order = order,
    priority = tonumber(priority), expected = tonumber(expected),
  }
  entries[build] = entry
  local project = project_of(project_id)
  project.team, project.limit = team_id, tonumber(concurrency)
  return entry
end

local function remove_entry(build, entry)
  add(removed, entry.field)
  entries[build], packed[entry.field] = nil, false
end

local function count_leased(entry, by)
  local fleet, team, project = fleet_of_all(), team_of(entry.team), project_of(entry.project)
  fleet.leased, team.leased, project.leased = fleet.leased + by, team.leased + by, project.leased + by
end

local function lease(build, entry, holder, milliseconds)
  add(leased, now() + milliseconds, build)
  entry.holder, entry.since = holder, now()
  count_leased(entry, 1)
end

local function end_lease(build, entry)
  add(ended, build)
  count_leased(entry, -1)
  charge(team_of(entry.team), project_of(entry.project), (now() - entry.since) / 1000 - entry.expected)
end

-- Forgets builds whose leases are the holders', each in turn with its own. Answers how many.
local function finish(builds, holders)
  local fields = {}
  for at, build in ipairs(builds) do fields[at] = 'build:' .. build end
  read(fields)
  fields = { 'fleet' }
  for _, build in ipairs(builds) do
    local entry = entry_of(build)
    if entry then add(fields, 'team:' .. entry.team, 'project:' .. entry.project) end
  end
  read(fields)
  local count, changed = 0, {}
  for at, build in ipairs(builds) do
    local entry = entry_of(build)
    if entry and entry.holder == holders[at] then
      end_lease(build, entry)
      remove_entry(build, entry)
      count = count + 1
      changed[entry.project] = true
    end
  end
  for project in pairs(changed) do settle(project) end
  return count
end

-- What the builds wait for that are in a project's line: see `Place`; and the limit that is reached, or 0.
local function waits_for(id)
  local project, fleet = project_of(id), fleet_of_all()
  local team = team_of(project.team)
  if team.paused then return 'team_paused', 0 end
  if not may_lease(project) then return 'project_limit', project.limit end
  if not may_lease(team) then return 'team_limit', team.limit end
  if fleet.paused then return 'drained', 0 end
  if not may_lease(fleet) then return 'fleet_limit', fleet.limit end
  return 'turn', 0
end
