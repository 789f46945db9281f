-- Notes how far a device has read, if that is further.
-- KEYS: how far the scope's devices have read (hash). ARGV: the device, the place, the place and since when.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or tonumber(string.match(known, '^%d+')) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
