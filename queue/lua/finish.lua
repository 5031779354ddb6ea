-- ARGV: build, holder. Forgets the build when its lease is the holder's.
local count = finish({ ARGV[1] }, { ARGV[2] })
write()
return count
