-- Removes a client from a group if its presence has expired.
-- KEYS     1 presence
-- ARGV     1 client
-- Returns  [1 if it had expired, how many clients the group has now]
-- Never    uses the clock of the process that calls it: the time is that of Redis.

--- @include "sorted_sets"

local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
local gone = 0
if expires and tonumber(expires) <= now then gone = redis.call('ZREM', KEYS[1], ARGV[1]) end
return {gone, redis.call('ZCARD', KEYS[1])}
