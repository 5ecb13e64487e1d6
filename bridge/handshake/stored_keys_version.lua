-- Included by other scripts: the function `version_of(key)`. It returns the version of the keys; 0 where there is none, or
-- something that cannot be one.
-- KEYS     1 keys
-- Never    changes anything.

local function version_of(key)
  local version = tonumber(redis.call('HGET', key, '') or '0') or 0
  if version < 0 or version >= 1e15 or version % 1 ~= 0 then return 0 end
  return version
end
