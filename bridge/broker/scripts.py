"""What must be atomic in Redis, as Lua. Each script works on one cluster slot and asks Redis for the time.

Presence of a group is two sorted sets: `presence` (client -> when its entry expires) and `holders` (who holds it:
`client:process:protocol:since`, all scores 0, so that one client's holders are a range). A client is present while it
has an entry, and its entry ends with its last holder or with its time.
"""

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Any, Final

from bridge.broker.bus import Bus
from bridge.broker.link import pack


class Script:
    """One Lua script, called by its digest and sent whole where Redis does not know it yet."""

    def __init__(self, source: str) -> None:
        self.source: Final = source
        self._digest: Final = sha1(source.encode(), usedforsecurity=False).hexdigest()

    def run(
        self, bus: Bus, keys: list[str], arguments: Sequence[str | int | bytes], done: Callable[[Any], None]
    ) -> None:
        """On its way when this returns; `done` gets the reply, an exception from Redis, or `None`."""

        def answered(reply: Any) -> None:
            if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
                bus.command(pack("EVAL", self.source, len(keys), *keys, *arguments), done)
            else:
                done(reply)

        bus.command(pack("EVALSHA", self._digest, len(keys), *keys, *arguments), answered)


_SORTED_SETS: Final = """
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', key) end
end
"""
"""Whoever put another type under one of our names has ended what was there: the processes write it again."""

_OTHERS: Final = """
local function others(client)
  return redis.call('ZRANGEBYLEX', KEYS[2], '[' .. client .. ':', '(' .. client .. ';', 'LIMIT', 0, 2)
end
"""
"""At most two of a client's holders: enough to know whether there is another."""

ENTER: Final = Script(
    _SORTED_SETS
    + _OTHERS
    + """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', now + ARGV[3], ARGV[1])
return {known and 0 or 1, #others(ARGV[1]) == 1 and 1 or 0, redis.call('ZCARD', KEYS[1])}
"""
)
"""Keys presence, holders; client, holder, seconds.

Returns `[1 if the client was not present, 1 if this is its only holder, members]`.
"""

LEAVE: Final = Script(
    _SORTED_SETS
    + _OTHERS
    + """
redis.call('ZREM', KEYS[2], ARGV[2])
local alone = #others(ARGV[1]) == 0
local gone = alone and redis.call('ZREM', KEYS[1], ARGV[1]) or 0
return {gone, alone and 1 or 0, redis.call('ZCARD', KEYS[1])}
"""
)
"""Keys presence, holders; client, holder.

Returns `[1 if the client was present and is no longer, 1 if it is not present now, members]`.
"""

EXPIRE: Final = Script(
    _SORTED_SETS
    + """
local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
local gone = 0
if expires and tonumber(expires) <= now then gone = redis.call('ZREM', KEYS[1], ARGV[1]) end
return {gone, redis.call('ZCARD', KEYS[1])}
"""
)
"""Key presence; client. Returns `[1 if the client's time was over, members]`."""

MEMBERS: Final = Script(
    _SORTED_SETS
    + """
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
"""
)
"""Keys presence, holders; the holder after which to go on, how many to look at.

Returns `[holders of clients that are present, the holder after which to go on or nothing where there are no more]`.
"""

HELD: Final = Script(
    _SORTED_SETS
    + """
local held = 0
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[2], ARGV[i + 1]) and redis.call('ZSCORE', KEYS[1], ARGV[i]) then held = held + 1 end
end
return held
"""
)
"""Keys presence, holders; client and holder of each entry. Returns how many of them are whole."""

SWEEP: Final = Script(
    _SORTED_SETS
    + _OTHERS
    + """
local found = redis.call('ZSCAN', KEYS[2], ARGV[2], 'MATCH', '*:' .. ARGV[1] .. ':*', 'COUNT', ARGV[3])
local gone = {}
for i = 1, #found[2], 2 do
  local holder = found[2][i]
  local client, process = holder:match('^([^:]+):([^:]+):')
  if process == ARGV[1] then
    redis.call('ZREM', KEYS[2], holder)
    if #others(client) == 0 and redis.call('ZREM', KEYS[1], client) == 1 then gone[#gone + 1] = holder end
  end
end
return {found[1], gone, redis.call('ZCARD', KEYS[1])}
"""
)
"""Keys presence, holders; process, where to go on, how many holders to look at.

Returns `[where to go on, holders of clients that are no longer present, members]`.
"""

HELD_BY: Final = Script("""
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], 'XX', 'GT', now + ARGV[2], ARGV[1])
if redis.call('TYPE', KEYS[2]).ok ~= 'set' then return {'0', {}} end
return redis.call('SSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[4])
""")
"""Keys processes, groups; dead process, seconds, where to go on, how many. Returns `[where to go on, groups]`.

The claim lasts for so many seconds from now on.
"""

LEASE: Final = Script("""
local now = tonumber(redis.call('TIME')[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', KEYS[1]) end
local state = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 'held' or 'unknown'
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('UNLINK', KEYS[2]) == 1 then state = 'swept' end
return {state, redis.call('ZREVRANGEBYSCORE', KEYS[1], now - 1, '-inf', 'LIMIT', 0, 8)}
""")
"""Keys processes, swept; process, seconds. Returns `[held | swept | unknown, processes whose lease is over]`."""

CLAIM: Final = Script("""
local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) >= now then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('SET', KEYS[2], '1', 'EX', 3600)
return 1
""")
"""Keys processes, swept; dead process, seconds. Returns 1 to the one process that may clean up after it now."""

SWEPT: Final = Script("""
redis.call('SET', KEYS[2], '1', 'EX', 3600)
return redis.call('ZREM', KEYS[1], ARGV[1])
""")
"""Keys processes, swept; dead process. Marked again: one that came back while it was cleaned up after must learn it."""

NOTE: Final = Script("""
local expected, spoiled = {'hash', 'zset'}, false
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= expected[i] and kind ~= 'none' then
    redis.call('UNLINK', unpack(KEYS))
    spoiled = true
  end
end
for i = 4, #ARGV, 5 do
  local row, first, last = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local count, remark = tonumber(ARGV[i + 3]), ARGV[i + 4]
  local known = redis.call('HGET', KEYS[1], row)
  if known then
    local before, after, times, remarked = known:match('^(%d+) (%d+) (%d+) (.*)$')
    if before then
      first, last = math.min(first, tonumber(before)), math.max(last, tonumber(after))
      count = count + tonumber(times)
      if remark == '' then remark = remarked end
    end
  end
  redis.call('HSET', KEYS[1], row, string.format('%.0f %.0f %.0f %s', first, last, count, remark))
  redis.call('ZADD', KEYS[2], last, row)
end
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, 1000)
local excess = redis.call('ZCARD', KEYS[2]) - #old - tonumber(ARGV[1])
if excess > 0 then
  local oldest = redis.call('ZRANGE', KEYS[2], #old, #old + excess - 1)
  for _, row in ipairs(oldest) do old[#old + 1] = row end
  redis.call('HINCRBY', KEYS[1], '', #oldest)
  redis.call('HSET', KEYS[1], '@', string.format('%.0f', tonumber(ARGV[2]) + 1000 * tonumber(ARGV[3])))
end
for _, row in ipairs(old) do
  redis.call('HDEL', KEYS[1], row)
  redis.call('ZREM', KEYS[2], row)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return spoiled and -1 or #old
""")
"""Keys rows, order; most rows, oldest to keep (ms), seconds to keep; then each row: key, first, last, count, remark.

Returns how many rows it forgot, or -1 where something else stood there and all of them are lost. Those that the bound
made it forget are counted under the empty row, and `@` is when that was last.
"""

MAKE_ROOM: Final = Script("""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'stream' or kind == 'none' then return 0 end
return redis.call('UNLINK', KEYS[1])
""")
"""Key of a stream. Returns 1 where something else stood there, to the one process that has removed it."""

REMEMBER: Final = Script("""
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then redis.call('UNLINK', key) end
end
local now = redis.call('GETRANGE', KEYS[1], 0, 63)
if now == '' then
  now = ARGV[1]
  redis.call('SET', KEYS[1], now)
end
if ARGV[2] == '' or ARGV[2] == now then return {now, 0} end
if redis.call('GETRANGE', KEYS[2], 0, #now - 1) == now then return {now, 0} end
redis.call('SET', KEYS[2], now .. ' ' .. ARGV[3])
return {now, 1}
""")
"""Keys memory, loss; a new mark, the mark that was here, ISO 8601.

A mark lives as long as what Redis holds. Returns `[the mark that is here now, 1 to the one process that must say that
what was here is lost]`.
"""

REFUSE: Final = Script("""
local found = 0
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    if type(redis.pcall('PFADD', KEYS[2], ARGV[i + 1])) == 'table' then
      redis.call('UNLINK', KEYS[2])
      redis.call('PFADD', KEYS[2], ARGV[i + 1])
    end
    found = found + 1
  end
end
if found > 0 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return found
""")
"""Keys census, refused; how long it is kept in seconds; row and name of each client that was refused."""
