-- ARGV: team, weight, limit ('' for none), paused ('' when not), version ('' for none), anyway ('' when a later version that is
-- known counts). Counts at once. Answers 0 when a later one is known.
local id = ARGV[1]
-- Nothing was ever set, and nothing else is known.
if ARGV[5] == '0' and not value_of('team:' .. id) then return 1 end
local team = team_of(id)
if is_outdated(team, ARGV[5], ARGV[6]) then return 0 end
team.weight, team.limit, team.paused = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] ~= '' or nil
settle_team(id)
write()
return 1
