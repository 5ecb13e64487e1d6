-- Tells whether every living process listens at this server, each on the channel under its name.
-- KEYS     1 processes
-- ARGV     1 what the names of these channels begin with, 2 what is said there, 3 the most processes to look at
-- Returns  1 if each whose lease holds listens, else 0
-- Never    writes (except what sorted_sets.lua does).

--- @include "sorted_sets"

local now = tonumber(redis.call('TIME')[1])
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf', 'LIMIT', 0, ARGV[3])) do
  if redis.call('PUBLISH', ARGV[1] .. process, ARGV[2]) == 0 then return 0 end
end
return 1
