-- Redis holds a mark that lives as long as its data does. Another mark than the one a process has seen means that the
-- data is lost. Whoever says so first is remembered.
-- KEYS     1 mark, 2 loss
-- ARGV     1 a new mark, 2 the mark that this process has seen (empty: none), 3 the time in ISO 8601
-- Returns  [the mark that is here now, 1 to the one process that must say that the data is lost]
-- Never    replaces a mark that is there, or reads more than 64 bytes of it. What is no string is removed.

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
