-- ARGV: cursor ('0' at first), about how many projects to look at. The next cursor, the time in milliseconds, then of each
-- project in turn: what its builds wait for, how many they are, and when the oldest of the highest and of the lowest
-- priority arrived.
local page = call('SSCAN', prefix .. ':lines', ARGV[1], 'COUNT', ARGV[2])
local answer = { page[1], now() }

local function add(value) answer[#answer + 1] = value end

for _, project in ipairs(page[2]) do
  local line = prefix .. ':line:' .. project
  local first = tonumber(call('ZRANGE', line, 0, 0, 'WITHSCORES')[2])
  local last = tonumber(call('ZRANGE', line, -1, -1, 'WITHSCORES')[2])
  -- Redis may have thrown the line or the project away.
  if last and value_of('project:' .. project) then
    local lowest = math.floor(last / band) * band
    local oldest = math.min(first % band, last % band)
    if lowest > first then
      oldest = math.min(oldest, tonumber(call('ZRANGE', line, lowest, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]) % band)
    end
    local reason = waits_for(project)
    add(reason)
    add(project_of(project).waiting)
    add(oldest)
  end
end
return answer
