-- ARGV: build. Its place in its project's line, from 0, and what it waits for with the limit that is reached.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'team')
if not entry[1] then return nil end
local rank = redis.call('ZRANK', key('line:' .. entry[1]), build)
if not rank then return nil end
local fleet = redis.call('HMGET', key('fleet'), 'limit', 'leased', 'paused')
local team = redis.call('HMGET', key('team:' .. entry[2]), 'limit', 'leased', 'paused')
local project = redis.call('HMGET', key('project:' .. entry[1]), 'limit', 'leased')
if team[3] then return { rank, 'team_paused', 0 } end
if number(project[2], 0) >= number(project[1], 1) then return { rank, 'project_limit', number(project[1], 1) } end
if number(team[2], 0) >= number(team[1], no_limit) then return { rank, 'team_limit', tonumber(team[1]) } end
if fleet[3] then return { rank, 'drained', 0 } end
if number(fleet[2], 0) >= number(fleet[1], no_limit) then return { rank, 'fleet_limit', tonumber(fleet[1]) } end
return { rank, 'turn', 0 }
