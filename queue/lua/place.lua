-- ARGV: build. Its place in its project's line, from 0, and whether the project is at its concurrency.
local build = ARGV[1]
local project = redis.call('HGET', key('entry:' .. build), 'project')
if not project then return nil end
local rank = redis.call('ZRANK', key('line:' .. project), build)
if not rank then return nil end
local leased = redis.call('SCARD', key('leased:' .. project))
return { rank, leased >= limit_of(project) and 1 or 0 }
