-- A process renews its lease, and learns what became of the last one and whose lease is over.
-- KEYS     1 processes, 2 the mark that somebody cleaned up after this process
-- ARGV     1 process, 2 for how many seconds from now on the lease holds
-- Returns  [held | swept (somebody cleaned up after it) | unknown (Redis did not know it), at most 8 processes whose
--          lease is over]
-- Never    removes another process: whoever claims it does.

local now = tonumber(redis.call('TIME')[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', KEYS[1]) end
local state = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 'held' or 'unknown'
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('UNLINK', KEYS[2]) == 1 then state = 'swept' end
return {state, redis.call('ZREVRANGEBYSCORE', KEYS[1], now - 1, '-inf', 'LIMIT', 0, 8)}
