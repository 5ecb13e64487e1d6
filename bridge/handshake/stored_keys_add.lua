-- Adds one API key, and raises the version by which every process sees that the keys are others.
-- KEYS     1 keys (a hash: name -> the key as JSON; the empty name -> the version)
-- ARGV     1 name, 2 the key as JSON, 3 the most fields that the hash may have
-- Returns  the new version; 0 if a key of that name is there, -1 if there are too many
-- Never    replaces a key. A value of another type is removed: it is no table of keys.

--- @include "stored_keys_version"
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', KEYS[1]) end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then return -1 end
local version = version_of(KEYS[1]) + 1
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], '', string.format('%.0f', version))
return version
