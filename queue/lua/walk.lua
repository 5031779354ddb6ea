-- ARGV: walk, '1' when it has been through everything, else ''. Redis that lost something, wholly or since its last write to
-- the disk or to a replica, runs under a new id or has no mark.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local mark = redis.call('GET', key('walked'))
if mark == run then return 'done' end
if mark ~= ARGV[1] then
  redis.call('SET', key('walked'), ARGV[1])
  return 'begun'
end
if ARGV[2] == '' then return 'going_on' end
redis.call('SET', key('walked'), run)
return 'done'
