-- ARGV: walk, '1' when it has been through everything, else ''. Redis that lost something, wholly or since its last write to
-- the disk or to a replica, runs under a new id or has no mark.
local walked = prefix .. ':walked'
local run = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local mark = call('GET', walked)
if mark == run then return 'done' end
if mark ~= ARGV[1] then
  call('SET', walked, ARGV[1])
  return 'begun'
end
if ARGV[2] == '' then return 'going_on' end
call('SET', walked, run)
return 'done'
