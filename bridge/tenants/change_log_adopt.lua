-- Moves lines of the old log, which all tenants once shared, to the tenants' own logs.
-- KEYS     1 the old log of all tenants
-- ARGV     1 most lines to move, 2 the key of a tenant's log with `@` for the tenant, 3 most lines of a log
-- Returns  how many lines were moved; if fewer than the most, none are left and the old log was removed. The error of
--          Redis if a line could not be written
--          A line keeps its id, which says when it was made, unless the tenant's own log has a later one already.
-- Never    overwrites a value of another type under the key of a tenant's log: this log is lost, and
--          change_log_check.py reports it. Lines for such a log are dropped, and so are lines without a valid tenant.

if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 0 end
local lines = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
for _, line in ipairs(lines) do
  local said = {tenant = '', version = '', change = ''}
  for i = 1, #line[2], 2 do said[line[2][i]] = line[2][i + 1] end
  if said.tenant:match('^[%w_-]+$') then
    local record = ARGV[2]:gsub('@', said.tenant)
    local function add(id)
      return redis.pcall('XADD', record, 'MAXLEN', ARGV[3], id,
        'tenant', said.tenant, 'version', said.version, 'change', said.change)
    end
    local added = add(line[1])
    if added.err and added.err:find('equal or smaller') then added = add('*') end
    if added.err and not added.err:find('WRONGTYPE') then return added end
  end
  redis.call('XDEL', KEYS[1], line[1])
end
if #lines < tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
return #lines
