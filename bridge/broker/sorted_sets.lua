-- A part of other scripts: what stands under one of their keys and is no sorted set is removed. The processes write
-- what was theirs again.
-- KEYS     those of the script that includes it
-- Never    frees at once what somebody else may have made large: UNLINK, not DEL.

for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', key) end
end
