-- Writes what a group has changed in one scope, all of it or nothing.
--
-- KEYS: what the scope is (hash), its facts (hash), what is due in it (hash), its held bodies (hash), its log
-- (list), the due index of its bucket (sorted set), then those books of its ledger that change (hashes), which steps
-- name by their place among the keys. All of one hash tag.
-- ARGV: the version that this was reckoned by ('' for a scope that is yet to be made), the new version, the state,
-- the floor; then steps, each a letter and its arguments. One of them erases all of the scope but that there was one:
-- which books its ledger has, and so their keys, of the same hash tag, stands in the scope itself. 1 if it was written, 0 if another was first.
if (redis.call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 's', ARGV[3], 'b', ARGV[4])
local at = 5
local function arg()
    at = at + 1
    return ARGV[at - 1]
end
while at <= #ARGV do
    local step = arg()
    if step == 'S' then redis.call('HSET', KEYS[1], arg(), arg())
    elseif step == 's' then redis.call('HDEL', KEYS[1], arg())
    elseif step == 'F' then redis.call('HSET', KEYS[2], arg(), arg())
    elseif step == 'f' then redis.call('HDEL', KEYS[2], arg())
    elseif step == 'D' then redis.call('HSET', KEYS[3], arg(), arg())
    elseif step == 'd' then redis.call('HDEL', KEYS[3], arg())
    elseif step == 'H' then redis.call('HSET', KEYS[4], arg(), arg())
    elseif step == 'h' then redis.call('HDEL', KEYS[4], arg())
    elseif step == 'G' then redis.call('HSET', KEYS[tonumber(arg())], arg(), arg())
    elseif step == 'g' then redis.call('HDEL', KEYS[tonumber(arg())], arg())
    elseif step == 'X' then redis.call('DEL', KEYS[tonumber(arg())])
    elseif step == 'P' then redis.call('RPUSH', KEYS[5], arg())
    elseif step == 'L' then redis.call('LSET', KEYS[5], arg(), arg())
    elseif step == 'T' then redis.call('LTRIM', KEYS[5], arg(), -1)
    elseif step == 'E' then
        local cursors, books = arg(), arg()
        for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
            local kind = string.sub(field, 1, 1)
            if kind == 'g' then redis.call('DEL', books .. string.sub(field, 2)) end
            if kind ~= 'v' and kind ~= 's' and kind ~= 'b' then redis.call('HDEL', KEYS[1], field) end
        end
        redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], cursors)
    elseif step == 'Z' then redis.call('ZADD', KEYS[6], arg(), arg())
    elseif step == 'z' then redis.call('ZREM', KEYS[6], arg())
    elseif step == 'W' then redis.call('PUBLISH', arg(), arg())
    elseif step == 'w' then redis.call('SPUBLISH', arg(), arg())
    end
end
return 1
