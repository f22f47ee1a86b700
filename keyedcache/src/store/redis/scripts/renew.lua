-- Prolongs a lease: whether the token holds it. ARGV: token, ttl.
if holder(KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
