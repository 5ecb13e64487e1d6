-- Deletes one API key, and raises the version by which every process sees that the keys are others.
-- KEYS     1 keys
-- ARGV     1 name
-- Returns  the new version; 0 if there is no key of that name
-- Never    deletes anything else.

--- @include "stored_keys_version"
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 0 end
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
local version = version_of(KEYS[1]) + 1
redis.call('HSET', KEYS[1], '', string.format('%.0f', version))
return version
