-- How many wait, how many are leased, and of how many the lease has run out.
return {
  number(redis.call('GET', key('waiting')), 0),
  redis.call('ZCARD', key('leases')),
  redis.call('ZCOUNT', key('leases'), '-inf', now()),
}
