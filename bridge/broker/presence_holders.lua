-- Included by other scripts: the function `others(client)`. It returns at most two holders of a client. That is enough
-- to tell apart no holder, one holder, and several.
-- KEYS     2 holders
-- Never    reads all holders of a client, or of a group.

local function others(client)
  return redis.call('ZRANGEBYLEX', KEYS[2], '[' .. client .. ':', '(' .. client .. ';', 'LIMIT', 0, 2)
end
