-- ARGV: milliseconds, how many. Builds whose lease has run out so long ago, the longest first.
return call('ZRANGE', leases, '-inf', now() - tonumber(ARGV[1]), 'BYSCORE', 'LIMIT', 0, ARGV[2])
