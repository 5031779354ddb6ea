-- ARGV: walk, '1' when it has been through everything, else ''. Redis that lost something, wholly or since its last write to
-- the disk or to a replica, runs under a new id or has no mark.
local walked = prefix .. ':walked'
local run = run_of_redis()
local under_way = ARGV[1] .. ':' .. run
local mark = call('GET', walked)
if mark == run then return 'done' end
if mark ~= under_way then
  call('SET', walked, under_way)
  return 'begun'
end
if ARGV[2] == '' then return 'going_on' end
call('SET', walked, run)
return 'done'
