-- Counts clients that were refused just now, each one once, in a HyperLogLog.
-- KEYS     1 census, 2 the HyperLogLog of this slice of time
-- ARGV     1 how many seconds the slice is kept; then for each client: its row in the census, its name
-- Returns  how many of the clients are in the census
-- Never    counts a client that is not in the census: a client that was never admitted takes no memory.

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
