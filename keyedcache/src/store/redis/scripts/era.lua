-- The era of this history of the data: another one begins with another history, and makes all that is
-- stored missing. KEYS: era. ARGV: history, a new era.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' and value:sub(17) == ARGV[1] then
  return value
end
redis.call('SET', KEYS[1], ARGV[2] .. ARGV[1])
return redis.call('GET', KEYS[1])
