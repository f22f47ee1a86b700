-- Adds to a counter: {1, sum}; {2, why not}; or what stands there: {3, ...}. ARGV: id, number to add.
local value, head = text(KEYS[1]), text(KEYS[3])
if not value or not head or #value > 20 or head:sub(5, 20) ~= ARGV[1] then
  return { 3, value, head, text(KEYS[2]) }
end
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[2])
if type(sum) == 'table' then
  return { 2, sum.err }
end
-- Not the sum itself: numbers of Lua have 53 bits.
return { 1, text(KEYS[1]) }
