-- The fields of a hash whose names fit a pattern, with their values. One may come twice, if the hash grew meanwhile.
local found, cursor = {}, '0'
repeat
  local page = redis.call('HSCAN', KEYS[1], cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = page[1]
  for _, part in ipairs(page[2]) do found[#found + 1] = part end
until cursor == '0'
return found
