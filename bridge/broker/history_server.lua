-- Which Redis server this is, and whether it has thrown keys out, for the scripts that tell whether a history is whole.
-- A history that was thrown out for want of memory leaves no trace: it looks as if nothing had been said there.
-- KEYS     none by itself: its functions get what the name of the server that wrote last is
-- Never    fails where Redis does not tell.

local function told(section, pattern)
  local about = redis.pcall('INFO', section)
  return type(about) == 'string' and string.match(about, pattern)
end

-- How many keys it has thrown out since it was started, as text.
local function thrown_out()
  return told('stats', 'evicted_keys:(%d+)') or '0'
end

-- Another one after each start, and after it has thrown keys out.
local function server_name()
  local run, count = told('server', 'run_id:(%w+)') or '?', thrown_out()
  return count == '0' and run or run .. '+' .. count
end

-- Whether it has thrown keys out since it had this name, which may be of the server that was here before.
local function has_thrown_out_since(name)
  local before = type(name) == 'string' and string.match(name, '%+(%d+)$') or '0'
  local count = thrown_out()
  return count ~= '0' and count ~= before
end
