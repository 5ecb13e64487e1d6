-- Notes since when no history has a break. There is one where this server holds none yet, where it lacks numbers that were
-- taken, where it has thrown keys out, and where it is another one than before (or has been started anew) and it is not
-- certain that it has everything.
-- KEYS     1 the last number, 2 since when there is no break, 3 which server wrote last; then pairs of what a history
--          is kept under, one for each number below
-- ARGV     1 which server the caller spoke to before (empty if to none); then the number of a message that the caller
--          has heard or said there, for each history. If all of them are here, everything before them is.
-- Returns  [which server this is, since when there is no break]
-- Never    lets a number be taken again that the caller knows: it would not be above what clients have heard. Never
--          moves the beginning back, unless another program has written one that is still to come.

--- @include "history_numbers"
--- @include "history_server"

local time, known = now(), redis.pcall('GET', KEYS[3])
local last, begin = number_in(KEYS[1], time), number_in(KEYS[2], time)
local server = server_name()

local function has_everything()
  for i = 2, #ARGV do
    if not redis.pcall('XRANGE', KEYS[i + 2] .. ':history', ARGV[i], ARGV[i])[1] then return false end
  end
  return #ARGV > 1
end

local highest, told = math.max(time, last or 0), 0
for i = 2, #ARGV do told = math.max(told, tonumber(ARGV[i])) end
local are_lost = not last or told > last
-- What was said between the loss and now may have lower numbers, so whoever was up to the highest may lack it.
if are_lost and told <= time + DAY then highest = math.max(highest, told + 1) end
local is_another, has_thrown_out = known ~= server or (ARGV[1] ~= '' and ARGV[1] ~= server), has_thrown_out_since(known)
if are_lost or has_thrown_out or not begin or begin > highest or (is_another and (ARGV[1] == '' or not has_everything())) then
  begin = highest
  redis.call('SET', KEYS[2], as_text(begin))
end
if are_lost then redis.call('SET', KEYS[1], as_text(highest)) end
if known ~= server then redis.call('SET', KEYS[3], server) end
return {server, as_text(begin)}
