-- ARGV: cursor ('0' at first), about how many keys to look at, pattern of entries' keys. The next cursor, then builds and
-- their holders ('' when they wait) in turn. What is there all the while is given once at least.
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[3], 'COUNT', ARGV[2])
local answer = { page[1] }
for _, name in ipairs(page[2]) do
  answer[#answer + 1] = string.sub(name, #key('entry:') + 1)
  answer[#answer + 1] = redis.call('HGET', name, 'holder') or ''
end
return answer
