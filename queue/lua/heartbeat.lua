-- ARGV: build, holder, lease in milliseconds, place ('' while the build is not shared). Only who holds the lease can extend it.
local build, holder, milliseconds, place = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local entry = entry_of(build)
if not entry then return call('EXISTS', prefix .. ':over:' .. build) == 1 and 'cancel' or 'absent' end
if entry.holder ~= holder then
  local before = '\n' .. (entry.before or '') .. '\n'
  return string.find(before, '\n' .. holder .. '\n', 1, true) and 'taken' or 'lost'
end
call('ZADD', leases, now() + milliseconds, build)
if place ~= '' then entry.place = place end
write()
return entry.cancel and 'cancel' or 'held'
