-- Builds whose lease has run out.
return redis.call('ZRANGE', key('leases'), '-inf', now(), 'BYSCORE')
