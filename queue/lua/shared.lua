-- Put before each script. All keys share the hash tag of the prefix, so that they live in one slot of a cluster.
--   entry:B      hash: project, team, order, priority, expected (seconds), holder and since (while leased), place (from where
--                its VM can be taken over), before (who it was taken from, a line each), handed (by its holder), cancel
--   line:P       sorted set: builds of a project that wait, by priority and order of arrival
--   project:P    hash: team, limit (how many may be leased at once), leased, next (virtual time from which it is due)
--   ready:T      sorted set: projects of a team that have work and room, by virtual start
--   team:T       hash: weight, limit, paused, version (of these), leased, next, clock (virtual time among its projects)
--   ready        sorted set: teams that have such projects and room, by virtual start
--   fleet        hash: limit, paused, version (of these), leased
--   leases       sorted set: leased builds, by the deadline of the lease in milliseconds
--   lines        set: projects with builds that wait
--   order, clock, waiting: counters
--   over:B       there for a minute when a leased build was forgotten
--   held-back    there while a runner that would take a build has no VM for it
--   sweeper      who sweeps
--   walked       the run of Redis in which the sweeper has been through everything, or the walk that is under way
--
-- Start-time fair queueing in two levels: who is due first in virtual time is served; each served second moves a team on by
-- 1/weight, a project by 1. What a build will take is guessed when it is claimed and put right when its lease ends.
local prefix = KEYS[1]
local function key(name) return prefix .. ':' .. name end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local forgotten_after = 3600
local no_limit = 1000000000

local function number(value, default) return tonumber(value or '') or default end

local function set_or_drop(hash, field, value)
  if value == '' then redis.call('HDEL', hash, field) else redis.call('HSET', hash, field, value) end
end

-- Whether a later one is known; else this one is, from now on.
local function is_outdated(hash, version)
  if version == '' then return false end
  if number(redis.call('HGET', hash, 'version'), 0) > tonumber(version) then return true end
  redis.call('HSET', hash, 'version', version)
  return false
end

local function later(a, b) return math.max(number(a, 0), number(b, 0)) end

-- Most of a script's time goes to calls: of a team and a project all is read at once, changed in these tables, and written at
-- once by `refresh`.
local teams, projects = {}, {}
local clock

local function team_of(id)
  local team = teams[id]
  if not team then
    local hash = key('team:' .. id)
    local fields = redis.call('HMGET', hash, 'weight', 'limit', 'paused', 'leased', 'next', 'clock')
    team = {
      hash = hash, ready = key('ready:' .. id),
      weight = number(fields[1], 1), limit = number(fields[2], no_limit), paused = fields[3],
      leased = number(fields[4], 0), next = number(fields[5], 0), clock = number(fields[6], 0),
    }
    teams[id] = team
  end
  return team
end

local function project_of(id)
  local project = projects[id]
  if not project then
    local hash = key('project:' .. id)
    local fields = redis.call('HMGET', hash, 'team', 'limit', 'leased', 'next')
    project = {
      hash = hash, team = fields[1],
      limit = number(fields[2], 1), leased = number(fields[3], 0), next = number(fields[4], 0),
    }
    projects[id] = project
  end
  return project
end

-- Keeps this true: a team is in `ready` exactly when it has a project there and may lease another build. Who waits for work
-- is woken when a team comes in: as long as one is there, nobody waits.
local function refresh_team(id, has_ready)
  local team = team_of(id)
  if team.changed then
    redis.call('HSET', team.hash, 'leased', team.leased, 'next', team.next, 'clock', team.clock)
  end
  local may = not team.paused and team.leased < team.limit
  if may and (has_ready or redis.call('ZCARD', team.ready) > 0) then
    clock = clock or redis.call('GET', key('clock'))
    if redis.call('ZADD', key('ready'), later(team.next, clock), id) == 1 then redis.call('PUBLISH', key('work'), '') end
  else
    redis.call('ZREM', key('ready'), id)
  end
end

-- And this: a project is in its team's `ready` exactly when it has a waiting build and room for it.
local function refresh(id)
  local project = project_of(id)
  if not project.team then return end
  local team = team_of(project.team)
  if project.changed then redis.call('HSET', project.hash, 'leased', project.leased, 'next', project.next) end
  local waits = redis.call('ZCARD', key('line:' .. id))
  if waits == 0 then redis.call('SREM', key('lines'), id) end
  if waits == 1 then redis.call('SADD', key('lines'), id) end
  local may = waits > 0 and project.leased < project.limit
  if may then
    redis.call('ZADD', team.ready, later(project.next, team.clock), id)
  else
    redis.call('ZREM', team.ready, id)
  end
  -- Not at once: who leaves and comes back must not be due earlier than who stayed.
  if waits + project.leased == 0 then redis.call('EXPIRE', project.hash, forgotten_after) end
  refresh_team(project.team, may)
end

-- Served seconds, or what was guessed too much of them, for a team and its project; `refresh` is due.
local function charge(team_id, project_id, seconds)
  local team, project = team_of(team_id), project_of(project_id)
  team.next = team.next + seconds / team.weight
  project.next = project.next + seconds
  team.changed, project.changed = true, true
end

-- More than any order.
local band = 17592186044416

-- Highest priority first, then who came first.
local function wait_in_line(build, project, priority, order)
  redis.call('ZADD', key('line:' .. project), -number(priority, 0) * band + order, build)
  redis.call('INCR', key('waiting'))
end

-- Gives the entry's order: the milliseconds in which it arrived, or a few more, so that no two that are new have the same. One that
-- was lost and says when it arrived gets the place that it had.
local function add_entry(build, project, team, priority, expected, arrived)
  local order = tonumber(arrived)
  if not order then
    order = math.max(number(redis.call('GET', key('order')), 0) + 1, now())
    redis.call('SET', key('order'), order)
  end
  redis.call('HSET', key('entry:' .. build),
    'project', project, 'team', team, 'order', order, 'priority', priority, 'expected', expected)
  return order
end

local function declare(id, team, limit)
  local project = project_of(id)
  redis.call('HSET', project.hash, 'team', team, 'limit', limit)
  redis.call('PERSIST', project.hash)
  project.team, project.limit = team, tonumber(limit)
end

local function leave_line(build, project)
  if redis.call('ZREM', key('line:' .. project), build) == 1 then redis.call('DECR', key('waiting')) end
end

local function take_first(project)
  redis.call('DECR', key('waiting'))
  return redis.call('ZPOPMIN', key('line:' .. project))[1]
end

local function count_lease(team_id, project_id, by)
  local team, project = team_of(team_id), project_of(project_id)
  team.leased, project.leased = team.leased + by, project.leased + by
  team.changed, project.changed = true, true
  local leased = redis.call('HINCRBY', key('fleet'), 'leased', by)
  -- Who found the fleet full waits, whichever teams are in `ready`.
  local limit = by < 0 and redis.call('HGET', key('fleet'), 'limit')
  if limit and leased == tonumber(limit) - 1 then redis.call('PUBLISH', key('work'), '') end
end

local function end_lease(build, team, project)
  if redis.call('ZREM', key('leases'), build) == 0 then return end
  count_lease(team, project, -1)
  local fields = redis.call('HMGET', key('entry:' .. build), 'since', 'expected')
  local at = now()
  charge(team, project, (at - number(fields[1], at)) / 1000 - number(fields[2], 0))
end

-- What the builds wait for that are in a project's line: see `Place`; and the limit that is reached, or 0.
local function waits_for(team, project)
  local fleet = redis.call('HMGET', key('fleet'), 'limit', 'leased', 'paused')
  local of_team = redis.call('HMGET', key('team:' .. team), 'limit', 'leased', 'paused')
  local of_project = redis.call('HMGET', key('project:' .. project), 'limit', 'leased')
  if of_team[3] then return 'team_paused', 0 end
  if number(of_project[2], 0) >= number(of_project[1], 1) then return 'project_limit', number(of_project[1], 1) end
  if number(of_team[2], 0) >= number(of_team[1], no_limit) then return 'team_limit', tonumber(of_team[1]) end
  if fleet[3] then return 'drained', 0 end
  if number(fleet[2], 0) >= number(fleet[1], no_limit) then return 'fleet_limit', tonumber(fleet[1]) end
  return 'turn', 0
end
