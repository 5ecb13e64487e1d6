-- Removes a holder of a client in a group. The client's presence ends with its last holder.
-- KEYS     1 presence, 2 holders
-- ARGV     1 client, 2 holder
-- Returns  [1 if the client was present and no longer is, 1 if it is not present now, how many clients the group has]
-- Never    ends the presence of a client that has another holder.

--- @include "sorted_sets"
--- @include "presence_holders"

redis.call('ZREM', KEYS[2], ARGV[2])
local alone = #others(ARGV[1]) == 0
local gone = alone and redis.call('ZREM', KEYS[1], ARGV[1]) or 0
return {gone, alone and 1 or 0, redis.call('ZCARD', KEYS[1])}
