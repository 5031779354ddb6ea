-- ARGV: build. A waiting build leaves; the holder of a leased one is told now and at its next heartbeat.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'holder')
if not entry[1] then return 'absent' end
if entry[2] then
  redis.call('HSET', key('entry:' .. build), 'cancel', 1)
  redis.call('PUBLISH', key('cancel'), build)
  return 'signalled'
end
leave_line(build, entry[1])
redis.call('DEL', key('entry:' .. build))
refresh(entry[1])
return 'removed'
