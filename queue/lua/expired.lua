-- ARGV: how many. Builds whose lease has run out, the longest first.
return redis.call('ZRANGE', key('leases'), '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[1])
