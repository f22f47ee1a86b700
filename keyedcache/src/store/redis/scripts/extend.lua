-- Lets a generation live for at least so many ms: for how many it does (-1: for ever; 0: there is none).
-- KEYS: generation. ARGV: at least ('0' is for ever), and what to set if it lives less long.
local left = redis.call('PTTL', KEYS[1])
if left == -2 then
  return 0
elseif left == -1 or (ARGV[1] ~= '0' and left >= tonumber(ARGV[1])) then
  return left
end
if ARGV[1] == '0' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
-- A write ends the writer's own tracking of a key, and this read begins it again.
return redis.call('PTTL', KEYS[1])
