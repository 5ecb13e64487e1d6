-- Announces JOIN and LEAVE to a group, in this order. A LEAVE is not said if the client is present by another holder: it
-- has come back meanwhile, perhaps in another process, and its JOIN may have been said already.
-- KEYS     1 presence, 2 holders
-- ARGV     1 the channel of the group; then for each event: the client that left (empty for a JOIN), the holder with
--          which it left, the message
-- Returns  how many events were not said
-- Never    lets LEAVE be the last word about a client that is present.

--- @include "sorted_sets"
--- @include "presence_holders"

local now, unsaid = tonumber(redis.call('TIME')[1]), 0

local function is_back(client, holder)
  local expires = redis.call('ZSCORE', KEYS[1], client)
  if not expires or tonumber(expires) <= now then return false end
  for _, other in ipairs(others(client)) do
    if other ~= holder then return true end
  end
  return false
end

for i = 2, #ARGV, 3 do
  if ARGV[i] ~= '' and is_back(ARGV[i], ARGV[i + 1]) then
    unsaid = unsaid + 1
  else
    redis.call('PUBLISH', ARGV[1], ARGV[i + 2])
  end
end
return unsaid
