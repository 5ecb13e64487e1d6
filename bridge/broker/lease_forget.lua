-- Forgets a dead process, now that all it held is cleaned up. The mark is set again: a process that came back meanwhile
-- has taken the first one away, and must learn of this.
-- KEYS     1 processes, 2 the mark that somebody cleaned up after the dead process
-- ARGV     1 the dead process
-- Returns  1 if it was known until now, 0 if not
-- Never    touches what it held.

redis.call('SET', KEYS[2], '1', 'EX', 3600)
return redis.call('ZREM', KEYS[1], ARGV[1])
