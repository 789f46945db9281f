-- Says that a relay lives, and who else does, by this server's clock.
-- KEYS: the relays (sorted set, by when they were last heard). ARGV: the relay, for how many seconds it counts.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
return redis.call('ZRANGE', KEYS[1], 0, -1)
