-- Renews the lease of a process, and tells it what became of its last lease and which leases have expired.
-- KEYS     1 processes, 2 the mark that another process cleaned up after this one
-- ARGV     1 process, 2 how many seconds the lease holds
-- Returns  [held | swept (another process cleaned up after this one) | unknown (Redis did not know this process),
--          at most 8 processes whose lease has expired]
-- Never    removes an expired process: the process that claims the clean-up does that.

local now = tonumber(redis.call('TIME')[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', KEYS[1]) end
local state = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 'held' or 'unknown'
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('UNLINK', KEYS[2]) == 1 then state = 'swept' end
return {state, redis.call('ZREVRANGEBYSCORE', KEYS[1], now - 1, '-inf', 'LIMIT', 0, 8)}
