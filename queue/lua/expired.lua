-- ARGV: milliseconds. Builds whose lease has run out so long ago.
return redis.call('ZRANGE', key('leases'), '-inf', now() - tonumber(ARGV[1]), 'BYSCORE')
