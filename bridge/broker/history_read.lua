-- Reads the history of one channel: what was said there after a number, and what shows whether that is everything.
-- KEYS     1 what the history is kept under, 2 the last number, 3 since when there is a history, 4 which server wrote
--          last, 5 what the tenant's own is kept under: there is noted what was not kept on any of its channels
-- ARGV     1 the number, 2 how many bytes of messages at most: then of all that there is the newest; 0 for no bound
-- Returns  [now (no lower than any number so far), the number after which nothing was removed (0 if nothing ever was),
--           the last number that was said and not kept (0 if none), the number since which no history has a break (0 if
--           there is none), [[number-0, ['m', message]], …]]
-- Never    changes anything, but where Redis has thrown keys out: no history is whole over that.

--- @include "history_numbers"
--- @include "history_server"

local TOGETHER = 16
local time, history = now(), KEYS[1] .. ':history'
local function text_of(number) return as_text(number or 0) end
local function number_of(identity) return tonumber(string.match(identity, '%d+')) end

-- The newest entries, in order, and the number of the newest that is left out (0 if none is).
local function latest_entries(most)
  local found, size, from = {}, 0, '+'
  while true do
    local block = redis.call('XREVRANGE', history, from, '-', 'COUNT', TOGETHER)
    for _, entry in ipairs(block) do
      size = size + #entry[2][2]
      if size > most then return found, number_of(entry[1]) end
      table.insert(found, 1, entry)
    end
    if #block < TOGETHER then return found, 0 end
    from = '(' .. block[TOGETHER][1]
  end
end

local last, whole_since, entries = number_in(KEYS[2], time) or 0, 0, {}
if redis.call('EXISTS', history) == 1 then
  local about, fields = redis.call('XINFO', 'STREAM', history), {}
  for i = 1, #about, 2 do fields[about[i]] = about[i + 1] end
  local newest = number_of(fields['last-generated-id'])
  if newest > time + DAY then
    -- Of before the clock was set back by days: what was said since could not be kept here, and nothing here is of use.
    whole_since = newest
  else
    last = math.max(last, newest)
    -- Before Redis 7 it is not known whether anything was removed.
    if fields['entries-added'] ~= fields['length'] then
      local oldest = fields['first-entry'] and fields['first-entry'][1] or fields['last-generated-id']
      whole_since = math.max(number_of(oldest), number_of(fields['max-deleted-entry-id'] or '0'))
    end
    if ARGV[2] == '0' then
      entries = redis.call('XRANGE', history, ARGV[1] == '0' and '-' or '(' .. ARGV[1] .. '-0', '+')
    else
      local left_out
      entries, left_out = latest_entries(tonumber(ARGV[2]))
      whole_since = math.max(whole_since, left_out)
    end
  end
end
if has_thrown_out_since(redis.pcall('GET', KEYS[4])) then
  redis.call('SET', KEYS[3], as_text(math.max(time, last)))
  redis.call('SET', KEYS[4], server_name())
end
local function unkept(key) return number_in(key .. ':unkept', time) or 0 end
local not_kept, begin = math.max(unkept(KEYS[1]), unkept(KEYS[5])), number_in(KEYS[3], time)
return {as_text(math.max(time, last)), as_text(whole_since), as_text(not_kept), text_of(begin), entries}
