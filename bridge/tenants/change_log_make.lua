-- Changes a tenant, and writes the change into its record: both or neither.
-- KEYS     1 versions of all tenants, 2 tenant, 3 its record, 4 the record that all tenants once shared
-- ARGV     1 the tenant's name, 2 the version that the author saw, 3 stage, 4 share, 5 V2 routing, 6 the change as
--          JSON, 7 most lines of the record
-- Returns  [1, the tenant's version now]; [0, its version] where that is another than the author saw; [-1, 0] where the
--          old record of all tenants is still there, whose lines come first
-- Never    stops half way: what could fail fails before anything is written, since Redis takes nothing back of what a
--          script has done. That is what HLEN and XLEN are for.

redis.call('HLEN', KEYS[1])
redis.call('XLEN', KEYS[3])
if redis.call('TYPE', KEYS[4]).ok == 'stream' then return {-1, 0} end
local version = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')
if version ~= tonumber(ARGV[2]) then return {0, version} end
version = version + 1
redis.call('HSET', KEYS[2], 'version', version, 'stage', ARGV[3], 'share', ARGV[4], 'v2_routing', ARGV[5])
redis.call('HSET', KEYS[2], 'change', ARGV[6])
redis.call('HSET', KEYS[1], ARGV[1], version)
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[7], '*', 'tenant', ARGV[1], 'version', version, 'change', ARGV[6])
return {1, version}
