-- ARGV: builds. Of each its holder, '' when it waits, false when it is not there.
local found, fields = {}, {}
for at, build in ipairs(ARGV) do fields[at] = 'build:' .. build end
read(fields)
for at, build in ipairs(ARGV) do
  local entry = entry_of(build)
  found[at] = entry and (entry.holder or '') or false
end
return found
