-- Adds a holder to a client's presence in a group. The presence expires after so many seconds.
-- KEYS     1 presence, 2 holders
-- ARGV     1 client, 2 holder, 3 seconds
-- Returns  [1 if the client was not present before, 1 if this is its only holder, how many clients the group has]
-- Never    shortens the time of a client that is present already.

--- @include "sorted_sets"
--- @include "presence_holders"

local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', now + ARGV[3], ARGV[1])
return {known and 0 or 1, #others(ARGV[1]) == 1 and 1 or 0, redis.call('ZCARD', KEYS[1])}
