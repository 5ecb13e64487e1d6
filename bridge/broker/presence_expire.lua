-- A client is gone from a group if its time is over.
-- KEYS     1 presence
-- ARGV     1 client
-- Returns  [1 if its time was over, how many are present in the group]
-- Never    believes the clock of the process that asks: the time is that of Redis.

--- @include "sorted_sets"

local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
local gone = 0
if expires and tonumber(expires) <= now then gone = redis.call('ZREM', KEYS[1], ARGV[1]) end
return {gone, redis.call('ZCARD', KEYS[1])}
