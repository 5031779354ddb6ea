-- How many wait, how many are leased, and of how many the lease has run out.
return { fleet_of_all().waiting, call('ZCARD', leases), call('ZCOUNT', leases, '-inf', now()) }
