-- Forgets what was noted of a client that has gone, unless it was noted anew since.
-- KEYS     1 the note
-- ARGV     1 what was noted
-- Returns  1 if it is forgotten, 0 if not
-- Never    touches a newer note.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('UNLINK', KEYS[1])
