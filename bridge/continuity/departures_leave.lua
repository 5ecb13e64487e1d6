-- Notes up to where a client has heard everything whose connection is over, or is about to be; or that it is here.
-- KEYS     1 the note
-- ARGV     1 the cursor, or what says that the client is here, 2 for how many seconds it is kept,
--          3 the cursor that says that it is not known,
--          4 what this takes the place of: then nothing else is touched; empty if it is noted for the first time
-- Returns  1 if it is noted, 0 if not
-- Never    leaves the cursor of one connection where another of the same client has left one, too, that is still there:
--          nobody can tell which of the two comes back.

local there = redis.pcall('GET', KEYS[1])
local cursor, before = ARGV[1], ARGV[4]

if before ~= '' and there ~= before then
  return 0
end
if before == '' and type(there) == 'string' and there:sub(1, 1) == '@' and there ~= cursor then
  cursor = ARGV[3]
end
redis.call('SET', KEYS[1], cursor, 'EX', ARGV[2])
return 1
