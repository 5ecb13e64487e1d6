-- Removes some holders of a dead process from a group, and the clients that have no other holder.
-- KEYS     1 presence, 2 holders
-- ARGV     1 the dead process, 2 the cursor of ZSCAN (0: from the beginning), 3 about how many holders to look at
-- Returns  [the next cursor (0: this was all), a holder of each removed client, how many clients the group has now]
-- Never    removes a client that another process holds.

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
