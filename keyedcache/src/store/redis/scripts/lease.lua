-- Grants a lease: {1}; tells who has it: {2, token, ms left}; or what stands there: {3, ...}.
-- ARGV: token, ttl, id of what was seen or '', and its bytes and header if it is too short for one.
local by = holder(KEYS[2])
if by == ARGV[1] then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return { 1 }
elseif by then
  local left = redis.call('PTTL', KEYS[2])
  -- What has no end was not put there by a lease.
  if left >= 0 then
    return { 2, by, left }
  end
end
if stands(ARGV[3], ARGV[4], ARGV[5]) ~= true then
  return { 3, text(KEYS[1]), text(KEYS[3]), text(KEYS[2]) }
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return { 1 }
