-- ARGV: limit ('' for none), paused ('' when not): drained, nothing is claimed any more; version ('' for none).
local fleet = fleet_of_all()
if is_outdated(fleet, ARGV[3]) then return 0 end
fleet.limit, fleet.paused = tonumber(ARGV[1]), ARGV[2] ~= '' or nil
write()
return 1
