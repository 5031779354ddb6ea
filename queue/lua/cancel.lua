-- ARGV: build. A waiting build leaves; the holder of a leased one is told now and at its next heartbeat.
local build = ARGV[1]
local entry = entry_of(build)
if not entry then return 'absent' end
if entry.holder then
  entry.cancel = true
  call('PUBLISH', prefix .. ':cancel', build)
  write()
  return 'signalled'
end
leave_line(build, entry)
remove_entry(build, entry)
settle(entry.project)
write()
return 'removed'
