-- ARGV: build. Its place in its project's line, from 0, and what it waits for with the limit that is reached.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'team')
if not entry[1] then return nil end
local rank = redis.call('ZRANK', key('line:' .. entry[1]), build)
if not rank then return nil end
return { rank, waits_for(entry[2], entry[1]) }
