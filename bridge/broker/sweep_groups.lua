-- Some groups in which a dead process held clients. The claim to clean up after it is renewed with them.
-- KEYS     1 processes, 2 groups of the dead process
-- ARGV     1 the dead process, 2 for how many seconds from now on the claim holds, 3 where to go on (0: at the
--          beginning), 4 how many groups, about
-- Returns  [where to go on (0: this was all), groups]
-- Never    makes a claim that is not there any more.

local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], 'XX', 'GT', now + ARGV[2], ARGV[1])
if redis.call('TYPE', KEYS[2]).ok ~= 'set' then return {'0', {}} end
return redis.call('SSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[4])
