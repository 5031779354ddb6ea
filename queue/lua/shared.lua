-- Put before each script. All keys share the hash tag of the prefix, so that they live in one slot of a cluster.
--   entry:B      hash: project, team, order, priority, expected (seconds), holder and since (while leased), place (from where
--                its VM can be taken over), before (who it was taken from, a line each), cancel
--   line:P       sorted set: builds of a project that wait, by priority and order of arrival
--   project:P    hash: team, limit (how many may be leased at once), leased, next (virtual time from which it is due)
--   ready:T      sorted set: projects of a team that have work and room, by virtual start
--   team:T       hash: weight, limit, paused, leased, next, clock (virtual time among its projects)
--   ready        sorted set: teams that have such projects and room, by virtual start
--   fleet        hash: limit, paused, leased
--   leases       sorted set: leased builds, by the deadline of the lease in milliseconds
--   order, clock, waiting: counters
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

local function later(a, b) return math.max(number(a, 0), number(b, 0)) end

-- Keeps this true: a team is in `ready` exactly when it has a project there and may lease another build.
local function refresh_team(team)
  local fields = redis.call('HMGET', key('team:' .. team), 'limit', 'leased', 'paused', 'next')
  local may = not fields[3] and number(fields[2], 0) < number(fields[1], no_limit)
  if may and redis.call('ZCARD', key('ready:' .. team)) > 0 then
    local start = later(fields[4], redis.call('GET', key('clock')))
    redis.call('ZADD', key('ready'), 'NX', start, team)
    redis.call('PUBLISH', key('work'), '')
  else
    redis.call('ZREM', key('ready'), team)
  end
end

-- And this: a project is in its team's `ready` exactly when it has a waiting build and room for it.
local function refresh(project)
  local fields = redis.call('HMGET', key('project:' .. project), 'team', 'limit', 'leased', 'next')
  local team, leased = fields[1], number(fields[3], 0)
  if not team then return end
  local waits = redis.call('ZCARD', key('line:' .. project))
  if waits > 0 and leased < number(fields[2], 1) then
    local start = later(fields[4], redis.call('HGET', key('team:' .. team), 'clock'))
    redis.call('ZADD', key('ready:' .. team), 'NX', start, project)
  else
    redis.call('ZREM', key('ready:' .. team), project)
  end
  -- Not at once: who leaves and comes back must not be due earlier than who stayed.
  if waits + leased == 0 then redis.call('EXPIRE', key('project:' .. project), forgotten_after) end
  refresh_team(team)
end

local function move_on(hash, line, member, clock, by)
  local due = redis.call('HINCRBYFLOAT', hash, 'next', by)
  if redis.call('ZSCORE', line, member) then
    redis.call('ZADD', line, 'XX', later(due, clock), member)
  end
end

-- Served seconds, or what was guessed too much of them, for a team and its project.
local function charge(team, project, seconds)
  local fields = redis.call('HMGET', key('team:' .. team), 'weight', 'clock')
  move_on(key('team:' .. team), key('ready'), team, redis.call('GET', key('clock')), seconds / number(fields[1], 1))
  move_on(key('project:' .. project), key('ready:' .. team), project, fields[2], seconds)
end

-- Highest priority first, then who came first.
local function wait_in_line(build, project, priority, order)
  redis.call('ZADD', key('line:' .. project), -number(priority, 0) * 17592186044416 + order, build)
  redis.call('INCR', key('waiting'))
end

local function leave_line(build, project)
  if redis.call('ZREM', key('line:' .. project), build) == 1 then redis.call('DECR', key('waiting')) end
end

local function count_lease(team, project, by)
  redis.call('HINCRBY', key('project:' .. project), 'leased', by)
  redis.call('HINCRBY', key('team:' .. team), 'leased', by)
  redis.call('HINCRBY', key('fleet'), 'leased', by)
end

local function end_lease(build, team, project)
  if redis.call('ZREM', key('leases'), build) == 0 then return end
  count_lease(team, project, -1)
  local fields = redis.call('HMGET', key('entry:' .. build), 'since', 'expected')
  charge(team, project, (now() - number(fields[1], now())) / 1000 - number(fields[2], 0))
end
