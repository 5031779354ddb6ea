-- ARGV: limit ('' for none), paused ('' when not): drained, nothing is claimed any more.
local fleet = fleet_of_all()
fleet.limit, fleet.paused = tonumber(ARGV[1]), ARGV[2] ~= '' or nil
write()
return 1
