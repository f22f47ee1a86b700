-- Saves a record if the guard holds: 1 if it did, 0 if not, or what only the caller can judge.
-- ARGV: record or number, header of a counter or '', ttl, kind of guard, what it is to be,
--       and, of what is too short to bear an id, its bytes and those of its header.
local value, head, ttl, guard, want = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if guard == 'lease' then
  if holder(KEYS[2]) ~= want then
    return 0
  end
elseif guard == 'seen' then
  local same = stands(want, ARGV[6], ARGV[7])
  if type(same) == 'table' then
    return same
  elseif not same then
    return 0
  end
end
-- First what needs memory: refused, it leaves everything as it was.
set(KEYS[1], value, ttl)
if head == '' then
  redis.call('UNLINK', KEYS[2], KEYS[3])
else
  set(KEYS[3], head, ttl)
  redis.call('UNLINK', KEYS[2])
end
-- A write ends the writer's own tracking of a key.
redis.call('EXISTS', KEYS[1])
return 1
