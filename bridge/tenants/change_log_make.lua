-- Changes a tenant, and adds the change to its log: both or neither.
-- KEYS     1 versions of all tenants, 2 tenant, 3 its log, 4 the old log that all tenants once shared
-- ARGV     1 the tenant's name, 2 the version that the author saw, 3 the change as JSON, 4 most lines of the log, then
--          the fields of the tenant that change: name, value, name, value, and so on
-- Returns  [1, the tenant's new version]; [0, its version] if that is not the version that the author saw; [-1, 0] if
--          the old log still exists: its lines must be moved first
-- Never    stops half way. Redis does not undo what a script has done before it fails, so all that can fail must fail
--          before the first write. HLEN and XLEN are there for this alone: they fail if a key has another type.

redis.call('HLEN', KEYS[1])
redis.call('XLEN', KEYS[3])
if redis.call('TYPE', KEYS[4]).ok == 'stream' then return {-1, 0} end
local version = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')
if version ~= tonumber(ARGV[2]) then return {0, version} end
version = version + 1
redis.call('HSET', KEYS[2], 'version', version, 'change', ARGV[3], unpack(ARGV, 5))
redis.call('HSET', KEYS[1], ARGV[1], version)
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[4], '*', 'tenant', ARGV[1], 'version', version, 'change', ARGV[3])
return {1, version}
