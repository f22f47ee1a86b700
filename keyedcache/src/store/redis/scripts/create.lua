-- The generation of a scope, and for how many ms it lives (-1: for ever); made if there is none.
-- KEYS: generation. ARGV: a new one, for how many ms.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' and #value == 32 then
  return { value, redis.call('PTTL', KEYS[1]) }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
-- A write ends the writer's own tracking of a key.
return { redis.call('GET', KEYS[1]), tonumber(ARGV[2]) }
