-- Counts clients that were refused just now, each one once: Redis counts in a HyperLogLog.
-- KEYS     1 census, 2 refused in this slice of time
-- ARGV     1 for how many seconds the slice is kept; then of each client: its row in the census, its name
-- Returns  how many of them the census knows
-- Never    counts a client that the census does not know: a stranger takes no room.

local found = 0
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    if type(redis.pcall('PFADD', KEYS[2], ARGV[i + 1])) == 'table' then
      redis.call('UNLINK', KEYS[2])
      redis.call('PFADD', KEYS[2], ARGV[i + 1])
    end
    found = found + 1
  end
end
if found > 0 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return found
