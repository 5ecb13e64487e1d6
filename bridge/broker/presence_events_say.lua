-- Announces JOIN and LEAVE to a group, in this order. A LEAVE is not said if the client is present by another holder: it
-- has come back meanwhile, perhaps in another process, and its JOIN may have been said already. Nor is a JOIN of a client
-- that is not present, unless its LEAVE follows: it has left elsewhere, and its LEAVE may have been said already.
-- KEYS     1 presence, 2 holders, 3 the last number, 4 since when there is a history, 5 what the group's is kept under,
--          or, if there is no room for these events, under what that is noted
-- ARGV     1 the channel of the group, 2 how many seconds a history is kept (0: there is none), 3 how many messages
--          (0: there is no room), 4 the highest number that the caller has seen;
--          then for each event: JOIN or LEAVE, the client, the holder with which it joined
--          or left (may be empty for an event that needs no entry), the message
-- Returns  how many events were not said
-- Never    lets LEAVE be the last word about a client that is present, or JOIN about one that is not.

--- @include "sorted_sets"
--- @include "presence_holders"
--- @include "history_numbers"

local now, unsaid, last_leave = tonumber(redis.call('TIME')[1]), 0, {}

for i = 5, #ARGV, 4 do
  if ARGV[i] == 'LEAVE' then last_leave[ARGV[i + 1]] = i end
end

local function is_back(client, holder)
  local expires = redis.call('ZSCORE', KEYS[1], client)
  if not expires or tonumber(expires) <= now then return false end
  for _, other in ipairs(others(client)) do
    if other ~= holder then return true end
  end
  return false
end

local function is_true(i)
  local client, holder = ARGV[i + 1], ARGV[i + 2]
  if ARGV[i] == 'LEAVE' then return not is_back(client, holder) end
  -- an entry that has just expired is enough: its LEAVE is said when it is removed
  return holder == '' or redis.call('ZSCORE', KEYS[1], client) or (last_leave[client] or 0) > i
end

local function say(message)
  if ARGV[2] ~= '0' then
    local number = as_text(take_numbers(KEYS[3], KEYS[4], 1, ARGV[4]))
    if ARGV[3] == '0' then
      leave_out(KEYS[5], number, ARGV[2])
    else
      keep(KEYS[5], number, message, ARGV[2], ARGV[3])
    end
    message = number .. '\n' .. message
  end
  redis.call('PUBLISH', ARGV[1], message)
end

for i = 5, #ARGV, 4 do
  if is_true(i) then
    say(ARGV[i + 3])
  else
    unsaid = unsaid + 1
  end
end
return unsaid
