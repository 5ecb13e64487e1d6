-- The numbers of messages, and the histories of channels, for the scripts that say or read something. Numbers increase
-- over all channels of this server: they are microseconds since the epoch, or one more than the last where the clock was
-- set back.
-- KEYS     none by itself: its functions get their names
-- Never    fails over what another program has put under these names.

local SECOND, DAY = 1000000, 86400000000

local function as_text(number)
  return string.format('%.0f', number)
end

local function now()
  local time = redis.call('TIME')
  return time[1] * SECOND + time[2]
end

-- The number under a key; nil if there is none, or one that cannot be ours.
local function number_in(key, time)
  local value = redis.pcall('GET', key)
  local number = type(value) == 'string' and tonumber(string.match(value, '^%d+$'))
  return number and number <= time + DAY and number or nil
end

-- The first of so many numbers that are taken now, above all that the caller has `seen` (text). A Redis that takes no
-- writes refuses here, before anything is said. Where numbers were lost no history is whole over that. Nor over numbers
-- that are later than the clock says, since a history is gone when its time is over by the clock.
local function take_numbers(last_key, begin_key, count, seen)
  local time, highest = now(), tonumber(seen)
  local last = number_in(last_key, time)
  if highest > time + DAY then highest = 0 end
  local first = math.max(time, (last or 0) + 1, highest + 1)
  redis.call('SET', last_key, as_text(first + count - 1))
  if not last or last < highest or first > time + SECOND then redis.call('SET', begin_key, as_text(first)) end
  return first
end

-- Notes that a message was said and not kept.
local function leave_out(key, number, seconds)
  redis.call('SET', key .. ':unkept', number, 'EX', seconds)
end

-- Keeps a message; returns 1 if it could not, because another program has put something else there.
local function keep(key, number, message, seconds, most)
  local kept = redis.pcall('XADD', key .. ':history', 'MAXLEN', '~', most, number .. '-0', 'm', message)
  if kept.err then
    leave_out(key, number, seconds)
    return 1
  end
  redis.call('EXPIRE', key .. ':history', seconds)
  return 0
end
