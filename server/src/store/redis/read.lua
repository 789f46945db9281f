-- The places of a log from one on, as of one moment.
--
-- KEYS: what the scope is (hash), its facts (hash), its log (list). ARGV: the first place, at most how many.
-- Nil if there is no such scope; else the state, the places from there or, where that is at or below the floor, from
-- behind it, with the content of a fact that stands put in, and all facts if there are such below the floor.
local known = redis.call('HMGET', KEYS[1], 's', 'b')
if not known[1] then
    return nil
end
local floor = tonumber(known[2])
local first = tonumber(ARGV[1]) - floor - 1
local facts = {}
if first < 0 then
    facts = redis.call('HVALS', KEYS[2])
    first = 0
end
local places = redis.call('LRANGE', KEYS[3], first, first + tonumber(ARGV[2]) - 1)
local keyed = {}
for place, element in ipairs(places) do
    if string.sub(element, 1, 1) == 'k' then
        keyed[#keyed + 1] = redis.call('HGET', KEYS[2], string.sub(element, 14)) or ''
    else
        keyed[#keyed + 1] = ''
    end
end
return {known[1], places, keyed, facts}
