-- Removes a dead process, after all presence entries that it held were cleaned up. Sets the mark again: if the process
-- has come back meanwhile, it has removed the first mark, and must learn of the second clean-up too.
-- KEYS     1 processes, 2 the mark that another process cleaned up after the dead process
-- ARGV     1 the dead process
-- Returns  1 if Redis knew the process until now, 0 if not
-- Never    touches the entries that the process held.

redis.call('SET', KEYS[2], '1', 'EX', 3600)
return redis.call('ZREM', KEYS[1], ARGV[1])
