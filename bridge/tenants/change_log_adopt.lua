-- Moves lines of the record that all tenants once shared to the tenants' own records.
-- KEYS     1 the record of all tenants
-- ARGV     1 most lines to move, 2 the name of a tenant's record with `@` for the tenant, 3 most lines of a record
-- Returns  how many lines it has moved: fewer than the most where none are left, and the old record is removed; Redis'
--          error where one could not be written
-- Never    writes over something of another type that stands in the place of a tenant's record: that has ended this
--          record, and whoever watches it says so. Its lines are dropped, and so are those of no tenant.

if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 0 end
local lines = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
for _, line in ipairs(lines) do
  local said = {tenant = '', version = '', change = ''}
  for i = 1, #line[2], 2 do said[line[2][i]] = line[2][i + 1] end
  if said.tenant:match('^[%w_-]+$') then
    local record = ARGV[2]:gsub('@', said.tenant)
    local added = redis.pcall('XADD', record, 'MAXLEN', ARGV[3], '*',
      'tenant', said.tenant, 'version', said.version, 'change', said.change)
    if added.err and not added.err:find('WRONGTYPE') then return added end
  end
  redis.call('XDEL', KEYS[1], line[1])
end
if #lines < tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
return #lines
