-- ARGV: build. Its place in its project's line, from 0, and what it waits for with the limit that is reached.
local build = ARGV[1]
local entry = entry_of(build)
if not entry or entry.holder then return nil end
return { call('ZRANK', prefix .. ':line:' .. entry.project, build), waits_for(entry.project) }
