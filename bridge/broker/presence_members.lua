-- Lists some holders of clients that are present in a group, in lexical order.
-- KEYS     1 presence, 2 holders
-- ARGV     1 the holder after which to continue (empty: from the first one), 2 how many holders to look at
-- Returns  [holders of clients that are present, the holder after which to continue (empty: there are no more)]
-- Never    writes (except what sorted_sets.lua does), or looks at more holders than ARGV 2 says.

--- @include "sorted_sets"

local now = tonumber(redis.call('TIME')[1])
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local holders = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, ARGV[2])
local here = {}
for _, holder in ipairs(holders) do
  local client = holder:match('^([^:]+):')
  local expires = client and redis.call('ZSCORE', KEYS[1], client)
  if expires and tonumber(expires) > now then here[#here + 1] = holder end
end
return {here, #holders == tonumber(ARGV[2]) and holders[#holders] or ''}
