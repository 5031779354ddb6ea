-- ARGV: name, milliseconds. Makes it the sweeper, or keeps it so, when nobody else is.
local leader = redis.call('GET', key('sweeper'))
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', key('sweeper'), ARGV[1], 'PX', ARGV[2])
return 1
