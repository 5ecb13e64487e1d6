-- Puts back what Redis has lost of the API keys, from the memory of a process.
-- KEYS     1 keys
-- ARGV     1 the version that the process knows, then a name and a key as JSON for each key
-- Returns  1 if they were written, 0 if Redis has a later version
-- Never    writes an older version over a later one: a key that was revoked does not come back.

--- @include "stored_keys_version"
local version = redis.call('TYPE', KEYS[1]).ok == 'hash' and version_of(KEYS[1]) or 0
if version > tonumber(ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[1])
for place = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1]) end
redis.call('HSET', KEYS[1], '', ARGV[1])
return 1
