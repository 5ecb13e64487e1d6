-- Takes some holders of a dead process out of a group, and with them the clients that nobody else holds.
-- KEYS     1 presence, 2 holders
-- ARGV     1 the dead process, 2 where to go on (0: at the beginning), 3 how many holders to look at, about
-- Returns  [where to go on (0: this was all), a holder of each client that is gone, how many are present in the group]
-- Never    removes a client that a living process holds.

--- @include "sorted_sets"
--- @include "presence_holders"

local found = redis.call('ZSCAN', KEYS[2], ARGV[2], 'MATCH', '*:' .. ARGV[1] .. ':*', 'COUNT', ARGV[3])
local gone = {}
for i = 1, #found[2], 2 do
  local holder = found[2][i]
  local client, process = holder:match('^([^:]+):([^:]+):')
  if process == ARGV[1] then
    redis.call('ZREM', KEYS[2], holder)
    if #others(client) == 0 and redis.call('ZREM', KEYS[1], client) == 1 then gone[#gone + 1] = holder end
  end
end
return {found[1], gone, redis.call('ZCARD', KEYS[1])}
