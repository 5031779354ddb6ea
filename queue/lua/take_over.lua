-- ARGV: holder, lease in milliseconds, place. Gives the holder a build whose lease ran out and whose VM is reached from the
-- place, unless it is to be cancelled: build, project, team, and who held it since it was claimed, a line each, and 1 when
-- the last of them handed it over, else nil. It was leased and stays so: no count changes.
local holder, lease, place = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local at = now()
for _, build in ipairs(redis.call('ZRANGE', key('leases'), '-inf', at, 'BYSCORE', 'LIMIT', 0, 1000)) do
  local entry = redis.call('HMGET', key('entry:' .. build), 'project', 'team', 'holder', 'place', 'cancel', 'before', 'handed')
  if entry[4] == place and not entry[5] then
    -- Who took it over and died before the API heard of that is no holder there.
    local before = entry[6] and (entry[6] .. '\n' .. entry[3]) or entry[3]
    redis.call('HSET', key('entry:' .. build), 'holder', holder, 'before', before)
    redis.call('HDEL', key('entry:' .. build), 'handed')
    redis.call('ZADD', key('leases'), at + lease, build)
    return { build, entry[1], entry[2], before, entry[7] }
  end
end
return nil
