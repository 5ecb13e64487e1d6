-- A part of other scripts: the function `others(client)`. It returns at most two holders of a client, which is enough
-- to know whether there is none, one, or more than one.
-- KEYS     2 holders
-- Never    reads all holders of a client, or of a group.

local function others(client)
  return redis.call('ZRANGEBYLEX', KEYS[2], '[' .. client .. ':', '(' .. client .. ';', 'LIMIT', 0, 2)
end
