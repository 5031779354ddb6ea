-- ARGV: build. A waiting build leaves; the runner of a leased one is told at its next heartbeat.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'concurrency', 'runner')
if not entry[1] then return 'absent' end
if entry[3] then
  redis.call('HSET', key('entry:' .. build), 'cancel', 1)
  redis.call('PUBLISH', key('cancel'), build)
  return 'signalled'
end
leave_line(build, entry[1])
redis.call('DEL', key('entry:' .. build))
refresh(entry[1], entry[2])
return 'removed'
