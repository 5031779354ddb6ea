-- ARGV: cursor ('0' at first), about how many values of `state` to look at. The next cursor, then builds and their holders
-- ('' when they wait) in turn. What is there all the while is given once at least.
local page = call('HSCAN', state, ARGV[1], 'MATCH', 'build:*', 'COUNT', ARGV[2])
local answer = { page[1] }
for at = 1, #page[2], 2 do
  local field = page[2][at]
  packed[field] = page[2][at + 1]
  local build = string.sub(field, #'build:' + 1)
  answer[#answer + 1] = build
  answer[#answer + 1] = entry_of(build).holder or ''
end
return answer
