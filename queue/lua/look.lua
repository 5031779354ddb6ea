-- ARGV: builds. Of each its holder, '' when it waits, nil when it is not there.
local found = {}
for at, build in ipairs(ARGV) do
  local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'holder')
  found[at] = entry[1] and (entry[2] or '')
end
return found
