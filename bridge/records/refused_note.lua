-- Adds to the rows of refused clients: how often each was refused, and whether it was moved to V3 thereby.
-- KEYS     1 census, 2 rows of clients that are in the census, 3 their order, 4 rows of strangers, 5 their order
-- ARGV     1 how many seconds a row is kept, 2 most rows of known clients, 3 most rows of strangers, 4 how many
--          milliseconds longer a stranger is kept who came again; then for each client: row, its row in the census, first and last time, refused handshakes, when it was moved
--          (0: not), how many of the handshakes were refused because it is to move, 1 if the first of these moved it,
--          1 if it was connected just now, facts
-- Returns  how many rows were deleted
-- Never    lets a stranger's row push out that of a known client. A client that was on V2 again after its last refusal
--          begins anew: when it was moved, and how often it has knocked since, is history.

local kinds, known_census = {'hash', 'hash', 'zset', 'hash', 'zset'}, true
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= kinds[i] and kind ~= 'none' then
    if i == 1 then known_census = false else redis.call('UNLINK', key) end
  end
end

local touched = {}
for i = 5, #ARGV, 10 do
  local row, first, last, times = ARGV[i], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local move, knocks, by_knock = tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6]), tonumber(ARGV[i + 7])
  local seen = known_census and redis.call('HGET', KEYS[1], ARGV[i + 1])
  local place = (seen or ARGV[i + 8] == '1' or redis.call('HEXISTS', KEYS[2], row) == 1) and 2 or 4
  local before = redis.call('HGET', KEYS[place], row)
  local facts = ARGV[i + 9]
  if before then
    local since, till, count, at, more, by, known = before:match('^(%d+) (%d+) (%d+) (%d+) (%d+) (%d) (.*)$')
    if since then
      if tonumber(till) > last then facts = known end -- another process had this refusal, and tells it later
      local there = seen and tonumber(seen:match('^%d+ (%d+) ') or 0) or 0
      if there <= tonumber(till) and tonumber(at) > 0 then
        if move == 0 or tonumber(at) <= move then move, by_knock = tonumber(at), tonumber(by) end
        knocks = knocks + more
      end
      first, last, times = math.min(first, since), math.max(last, till), times + count
    end
  end
  redis.call('HSET', KEYS[place], row, string.format('%.0f %.0f %.0f %.0f %.0f %.0f %s', first, last, times, move,
    knocks, by_knock, facts))
  local longer = (place == 4 and times > 1) and tonumber(ARGV[4]) or 0
  redis.call('ZADD', KEYS[place + 1], last + longer, row)
  touched[place] = tonumber(ARGV[place / 2 + 1])
end

local deleted, oldest = 0, 1000 * (tonumber(redis.call('TIME')[1]) - tonumber(ARGV[1]))
for place, most in pairs(touched) do
  local rows, order = KEYS[place], KEYS[place + 1]
  local old = redis.call('ZRANGEBYSCORE', order, '-inf', string.format('(%.0f', oldest), 'LIMIT', 0, 1000)
  local excess = redis.call('ZCARD', order) - #old - most
  if excess > 0 then
    local excessive = redis.call('ZRANGE', order, #old, #old + excess - 1)
    for _, row in ipairs(excessive) do old[#old + 1] = row end
    redis.call('HINCRBY', rows, '', #excessive)
    redis.call('HSET', rows, '@', string.format('%.0f', oldest + 1000 * ARGV[1]))
  end
  for _, row in ipairs(old) do
    redis.call('HDEL', rows, row)
    redis.call('ZREM', order, row)
  end
  redis.call('EXPIRE', rows, ARGV[1])
  redis.call('EXPIRE', order, ARGV[1])
  deleted = deleted + #old
end
return deleted
