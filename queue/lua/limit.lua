-- ARGV: project, concurrency. Counts at once, also for builds that wait already; a project without entries is left out.
local id = ARGV[1]
if not value_of('project:' .. id) then return 0 end
project_of(id).limit = tonumber(ARGV[2])
settle(id)
write()
return 1
