-- Removes what stands under the name of a record of changes and is none.
-- KEYS     1 record
-- Returns  1 to the one process that has removed something, 0 to all others
-- Never    touches a stream, whatever is in it.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'stream' or kind == 'none' then return 0 end
return redis.call('UNLINK', KEYS[1])
