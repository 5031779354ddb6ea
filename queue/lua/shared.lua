-- Put before each script. All keys share the hash tag of the prefix, so that they live in one slot of a cluster.
--   entry:B      hash: project, team, order, holder (while leased), cancel
--   limit:P      how many builds of a project may be leased at once; there while the project has entries
--   line:P       sorted set: builds of a project that wait, by order of arrival
--   leased:P     set: builds of a project that are leased
--   leases       sorted set: leased builds, by the deadline of the lease in milliseconds
--   ready        sorted set: projects that have work and room, by virtual start time
--   order, clock, waiting: counters
local prefix = KEYS[1]
local function key(name) return prefix .. ':' .. name end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function limit_of(project)
  return tonumber(redis.call('GET', key('limit:' .. project)) or '1')
end

-- Keeps this true: a project is in `ready` exactly when it has a waiting build and fewer leases than its concurrency.
local function refresh(project)
  local waits = redis.call('ZCARD', key('line:' .. project))
  local leased = redis.call('SCARD', key('leased:' .. project))
  if waits > 0 and leased < limit_of(project) then
    redis.call('ZADD', key('ready'), 'NX', tonumber(redis.call('GET', key('clock')) or '0') + 1, project)
    redis.call('PUBLISH', key('work'), '')
  else
    redis.call('ZREM', key('ready'), project)
  end
  if waits + leased == 0 then redis.call('DEL', key('limit:' .. project)) end
end

local function wait_in_line(build, project, order)
  redis.call('ZADD', key('line:' .. project), order, build)
  redis.call('INCR', key('waiting'))
end

local function leave_line(build, project)
  if redis.call('ZREM', key('line:' .. project), build) == 1 then
    redis.call('DECR', key('waiting'))
    return true
  end
  return false
end

local function end_lease(build, project)
  redis.call('ZREM', key('leases'), build)
  redis.call('SREM', key('leased:' .. project), build)
end
