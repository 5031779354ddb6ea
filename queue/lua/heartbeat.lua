-- ARGV: build, holder, lease in milliseconds, place ('' while the build is not shared). Only who holds the lease can extend it.
local build, holder, milliseconds, place = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local entry = entry_of(build)
if not entry then return call('EXISTS', prefix .. ':over:' .. build) == 1 and 'cancel' or 'absent' end
if entry.holder ~= holder then
  if was_taken_from(entry, holder) then return 'taken' end
  -- Redis that lost its last moments may not know of the lease: the sweeper gives it back.
  return call('GET', prefix .. ':walked') == run_of_redis() and 'lost' or 'absent'
end
call('ZADD', leases, now() + milliseconds, build)
if place ~= '' then entry.place = place end
write()
return entry.cancel and 'cancel' or 'held'
