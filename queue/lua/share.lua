-- ARGV: build, holder, place. From now on who reaches the place may take the build over when the holder's lease has run out.
local build, holder, place = ARGV[1], ARGV[2], ARGV[3]
local entry = entry_of(build)
if not entry or entry.holder ~= holder then return 0 end
entry.place = place
write()
return 1
