-- ARGV: team, weight, limit ('' for none), paused ('' when not), version ('' for none). Counts at once.
local id = ARGV[1]
local team = team_of(id)
if is_outdated(team, ARGV[5]) then return 0 end
team.weight, team.limit, team.paused = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] ~= '' or nil
settle_team(id)
write()
return 1
