-- Says messages, and keeps each in the history of its channel. What is said on the bus begins with the message's
-- number and a newline.
-- KEYS     1 the last number, 2 since when there is a history; then for each message: what its history is kept under,
--          and the same for the wide channel (the first again if there is none)
-- ARGV     1 how many seconds a history is kept, 2 how many messages, 3 whether wide channels have a history (1 or 0:
--          then none is told to be whole there), 4 the highest number that the caller has seen;
--          then for each message: how it is kept, its channel, the wide channel (may be empty), the message. How:
--          `all`, `heard` (only if somebody heard it, or who should have is expected back), `none` (no history is told
--          to be whole over it)
-- Returns  for each message how many heard it; then how many histories could not be written because another program
--          has put something else there; at last the number of the last message
-- Never    says a message without a number that is above all others before it.

--- @include "history_numbers"

local seconds, most = ARGV[1], ARGV[2]
local number = take_numbers(KEYS[1], KEYS[2], (#ARGV - 4) / 4, ARGV[4])
local replies, foreign = {}, 0

for i = 5, #ARGV, 4 do
  local key, wide_key = KEYS[(i + 1) / 2], KEYS[(i + 1) / 2 + 1]
  local how, channel, wide, message = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local text = as_text(number)
  local numbered = text .. '\n' .. message
  if how == 'all' then foreign = foreign + keep(key, text, message, seconds, most) end
  local heard = redis.call('PUBLISH', channel, numbered)
  if how == 'heard' then
    if heard == 0 and redis.call('EXISTS', key .. ':expected') == 1 then heard = 1 end
    if heard > 0 then foreign = foreign + keep(key, text, message, seconds, most) end
  elseif how == 'none' then
    leave_out(key, text, seconds)
  end
  if wide ~= '' then
    if ARGV[3] == '1' then
      foreign = foreign + keep(wide_key, text, message, seconds, most)
    else
      leave_out(wide_key, text, seconds)
    end
    heard = heard + redis.call('PUBLISH', wide, numbered)
  end
  replies[#replies + 1] = heard
  number = number + 1
end

replies[#replies + 1] = foreign
replies[#replies + 1] = as_text(number - 1)
return replies
