-- Gives a lease back: whether the token held it.
-- ARGV: token, for how many ms to remember that its answer is not to be stored ('0': not at all).
if holder(KEYS[2]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('UNLINK', KEYS[2])
else
  local marked = redis.pcall('SET', KEYS[2], 'declined', 'PX', ARGV[2])
  if marked.err then
    redis.call('UNLINK', KEYS[2])
  end
end
return 1
