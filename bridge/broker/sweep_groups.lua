-- Lists some groups in which a dead process held clients, and renews the claim to clean up after this process.
-- KEYS     1 processes, 2 groups of the dead process
-- ARGV     1 the dead process, 2 how many seconds the claim holds, 3 the cursor of SSCAN (0: from the beginning),
--          4 about how many groups to return
-- Returns  [the next cursor (0: this was all), groups]
-- Never    creates a claim again that no longer exists.

local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], 'XX', 'GT', now + ARGV[2], ARGV[1])
if redis.call('TYPE', KEYS[2]).ok ~= 'set' then return {'0', {}} end
return redis.call('SSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[4])
