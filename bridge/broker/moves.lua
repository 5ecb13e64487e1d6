-- Notes that a process has come to this Redis server from another, and tells which ones have, in the last while.
-- KEYS     1 moves: a sorted set of "token since", by until; both in ms by the clock of this server
-- ARGV     1 the token of the move (empty: nothing to note), 2 and 3 since and until how many ms ago the process may
--          have spoken elsewhere, 4 for how many ms a move is told, 5 the most moves
-- Returns  for each move: token, since and until how many ms ago
-- Never    writes where nobody has moved. A value of another type is removed.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', KEYS[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[1], now - ARGV[3], string.format('%s %.0f', ARGV[1], now - ARGV[2]))
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[5] - 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local told = {}
local moves = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', now - ARGV[4], 'WITHSCORES', 'LIMIT', 0, ARGV[5])
for index = 1, #moves, 2 do
  local token, since = moves[index]:match('^(%x+) (%d+)$')
  if token and #token < 64 then
    for _, value in ipairs({token, now - since, now - moves[index + 1]}) do told[#told + 1] = value end
  end
end
return told
