-- Counts how many of the given entries are complete: both the holder and the client are there.
-- KEYS     1 presence, 2 holders
-- ARGV     client and holder of each entry, one after the other
-- Returns  how many of the entries are complete
-- Never    repairs an incomplete entry: the process that calls it writes the entry again.

--- @include "sorted_sets"

local held = 0
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[2], ARGV[i + 1]) and redis.call('ZSCORE', KEYS[1], ARGV[i]) then held = held + 1 end
end
return held
