-- ARGV: build. Its place in its project's line, from 0, and whether the project is at its concurrency.
local build = ARGV[1]
local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'concurrency')
if not entry[1] then return nil end
local rank = redis.call('ZRANK', key('line:' .. entry[1]), build)
if not rank then return nil end
local leased = redis.call('SCARD', key('leased:' .. entry[1]))
return { rank, leased >= tonumber(entry[2]) and 1 or 0 }
