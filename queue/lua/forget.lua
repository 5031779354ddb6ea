-- ARGV: build. Whoever holds it, it is gone; one that does and was not heard for a while is told when it asks again.
local build = ARGV[1]
local entry = entry_of(build)
if not entry then return call('ZREM', leases, build) end
if entry.holder then
  call('SET', prefix .. ':over:' .. build, '', 'PX', 60000)
  end_lease(build, entry)
else
  leave_line(build, entry)
end
remove_entry(build, entry)
settle(entry.project)
write()
return 1
