-- Claims the right to clean up after a dead process.
-- KEYS     1 processes, 2 the mark that another process cleaned up after the dead process
-- ARGV     1 the dead process, 2 how many seconds the claim holds
-- Returns  1 to the one process that may clean up now, 0 to all others
-- Never    gives the right to two processes at once, or at all while a lease or an earlier claim has not expired.

local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) >= now then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('SET', KEYS[2], '1', 'EX', 3600)
return 1
