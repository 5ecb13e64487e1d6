-- Removes the value under the key of a change log if it is not a stream.
-- KEYS     1 the log
-- Returns  1 to the one process that removed something, 0 to all others
-- Never    touches a stream, whatever is in it.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'stream' or kind == 'none' then return 0 end
return redis.call('UNLINK', KEYS[1])
