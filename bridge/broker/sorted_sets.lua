-- Included by other scripts: removes a value under one of their keys that is not a sorted set. The processes then write
-- their own entries again.
-- KEYS     the first two of the script that includes it
-- Never    frees the memory at once, because another program may have stored a large value: UNLINK, not DEL.

for i = 1, math.min(2, #KEYS) do
  local key = KEYS[i]
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', key) end
end
