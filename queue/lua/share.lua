-- ARGV: build, holder, place. From now on who reaches the place may take the build over when the holder's lease has run out.
local build, holder, place = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', key('entry:' .. build), 'holder') ~= holder then return 0 end
redis.call('HSET', key('entry:' .. build), 'place', place)
return 1
