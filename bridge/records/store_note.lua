-- Adds counts to rows of a table, and deletes the rows that are too old or too many.
-- KEYS     1 rows, 2 their order
-- ARGV     1 most rows, 2 oldest time to keep (milliseconds since the epoch), 3 how many seconds both keys are kept;
--          then for each row: key, first and last time it was noted (milliseconds), count, remark
-- Returns  how many rows were deleted; -1 if a key had another type: all earlier rows are lost
-- Never    deletes rows over the bound silently: the field with the empty name counts them, and `@` holds when that
--          happened last.

local expected, spoiled = {'hash', 'zset'}, false
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= expected[i] and kind ~= 'none' then
    redis.call('UNLINK', unpack(KEYS))
    spoiled = true
  end
end
for i = 4, #ARGV, 5 do
  local row, first, last = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local count, remark = tonumber(ARGV[i + 3]), ARGV[i + 4]
  local known = redis.call('HGET', KEYS[1], row)
  if known then
    local before, after, times, remarked = known:match('^(%d+) (%d+) (%d+) (.*)$')
    if before then
      first, last = math.min(first, tonumber(before)), math.max(last, tonumber(after))
      count = count + tonumber(times)
      if remark == '' then remark = remarked end
    end
  end
  redis.call('HSET', KEYS[1], row, string.format('%.0f %.0f %.0f %s', first, last, count, remark))
  redis.call('ZADD', KEYS[2], last, row)
end
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, 1000)
local excess = redis.call('ZCARD', KEYS[2]) - #old - tonumber(ARGV[1])
if excess > 0 then
  local oldest = redis.call('ZRANGE', KEYS[2], #old, #old + excess - 1)
  for _, row in ipairs(oldest) do old[#old + 1] = row end
  redis.call('HINCRBY', KEYS[1], '', #oldest)
  redis.call('HSET', KEYS[1], '@', string.format('%.0f', tonumber(ARGV[2]) + 1000 * tonumber(ARGV[3])))
end
for _, row in ipairs(old) do
  redis.call('HDEL', KEYS[1], row)
  redis.call('ZREM', KEYS[2], row)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return spoiled and -1 or #old
