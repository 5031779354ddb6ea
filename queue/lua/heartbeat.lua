-- ARGV: build, holder, lease in milliseconds, place ('' while the build is not shared). Only who holds the lease can extend it.
local build, holder, lease, place = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local entry = redis.call('HMGET', key('entry:' .. build), 'holder', 'cancel', 'project', 'before', 'place')
if not entry[3] then return redis.call('EXISTS', key('over:' .. build)) == 1 and 'cancel' or 'absent' end
if entry[1] ~= holder then
  local before = '\n' .. (entry[4] or '') .. '\n'
  return string.find(before, '\n' .. holder .. '\n', 1, true) and 'taken' or 'lost'
end
redis.call('ZADD', key('leases'), now() + lease, build)
if place ~= '' and entry[5] ~= place then redis.call('HSET', key('entry:' .. build), 'place', place) end
if entry[2] then return 'cancel' end
return 'held'
