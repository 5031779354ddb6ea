-- ARGV: what, milliseconds. It is so for so long.
call('SET', prefix .. ':' .. ARGV[1], '1', 'PX', ARGV[2])
