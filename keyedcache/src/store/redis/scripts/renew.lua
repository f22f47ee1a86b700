-- Prolongs a lease: whether the token holds it. ARGV: token, ttl.
if holder(KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
-- Others of this process may wait for its end, and the write has ended the tracking.
redis.call('EXISTS', KEYS[2])
return 1
