-- ARGV: name, milliseconds. Makes it the sweeper, or keeps it so, when nobody else is.
local sweeper = prefix .. ':sweeper'
local leader = call('GET', sweeper)
if leader and leader ~= ARGV[1] then return 0 end
call('SET', sweeper, ARGV[1], 'PX', ARGV[2])
return 1
