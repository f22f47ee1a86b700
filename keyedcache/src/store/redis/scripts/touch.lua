-- Replaces a record, or the header of a counter, by one of another life, if it is the one seen: 1 or 0.
-- ARGV: new bytes, whether they are a counter's header ('1'), ttl, id.
local head = text(KEYS[3])
if ARGV[2] == '1' then
  if not head or head:sub(5, 20) ~= ARGV[4] or not text(KEYS[1]) then
    return 0
  end
  set(KEYS[3], ARGV[1], ARGV[3])
  if ARGV[3] == '0' then
    redis.call('PERSIST', KEYS[1])
  else
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
  return 1
end
if stands(ARGV[4]) ~= true then
  return 0
end
set(KEYS[1], ARGV[1], ARGV[3])
return 1
