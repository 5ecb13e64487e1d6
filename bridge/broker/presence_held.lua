-- How many of these entries are whole: the holder is there, and so is the client.
-- KEYS     1 presence, 2 holders
-- ARGV     client and holder of each entry, one after the other
-- Returns  how many of them are whole
-- Never    mends what is not: the process that asks writes it again.

--- @include "sorted_sets"

local held = 0
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[2], ARGV[i + 1]) and redis.call('ZSCORE', KEYS[1], ARGV[i]) then held = held + 1 end
end
return held
