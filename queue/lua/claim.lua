-- ARGV: holder, lease in milliseconds. Leases the first build of the project that is due first in the team that is.
local holder, lease = ARGV[1], tonumber(ARGV[2])
local fleet = redis.call('HMGET', key('fleet'), 'limit', 'leased', 'paused')
if fleet[3] or number(fleet[2], 0) >= number(fleet[1], no_limit) then return nil end
local first = redis.call('ZRANGE', key('ready'), 0, 0, 'WITHSCORES')
if #first == 0 then return nil end
local team, start = first[1], first[2]
local due = redis.call('ZRANGE', key('ready:' .. team), 0, 0, 'WITHSCORES')
local project, project_start = due[1], due[2]
local build = take_first(project)
local at = now()
redis.call('ZADD', key('leases'), at + lease, build)
redis.call('HSET', key('entry:' .. build), 'holder', holder, 'since', at)
count_lease(team, project, 1)
-- The clocks move to who is served; who has more work is due again when the others had as much.
clock = start
redis.call('SET', key('clock'), clock)
team_of(team).clock, team_of(team).next = tonumber(project_start), tonumber(start)
project_of(project).next = tonumber(project_start)
charge(team, project, number(redis.call('HGET', key('entry:' .. build), 'expected'), 1))
refresh(project)
return { build, project, team }
