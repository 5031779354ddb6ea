-- ARGV: limit ('' for none), paused ('' when not): drained, nothing is claimed any more; version ('' for none), anyway ('' when a
-- later version that is known counts). Answers 0 when that is so.
local fleet = fleet_of_all()
if is_outdated(fleet, ARGV[3], ARGV[4]) then return 0 end
fleet.version = fleet.version or 0
fleet.limit, fleet.paused = tonumber(ARGV[1]), ARGV[2] ~= '' or nil
write()
return 1
