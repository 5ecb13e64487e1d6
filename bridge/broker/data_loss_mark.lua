-- Compares the mark in Redis, which lives as long as the data there, with the mark that a process remembers. If they
-- differ, the data was lost. The first process that finds this stores the loss, and must announce it.
-- KEYS     1 mark, 2 loss
-- ARGV     1 a new mark, 2 the mark that the process remembers (empty: it has none), 3 the time in ISO 8601
-- Returns  [the mark that is now in Redis, 1 for the one process that must announce the loss and 0 for all others]
-- Never    replaces an existing mark, or reads more than 64 bytes of it. A value that is not a string is removed.

for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then redis.call('UNLINK', key) end
end
local now = redis.call('GETRANGE', KEYS[1], 0, 63)
if now == '' then
  now = ARGV[1]
  redis.call('SET', KEYS[1], now)
end
if ARGV[2] == '' or ARGV[2] == now then return {now, 0} end
if redis.call('GETRANGE', KEYS[2], 0, #now - 1) == now then return {now, 0} end
redis.call('SET', KEYS[2], now .. ' ' .. ARGV[3])
return {now, 1}
