-- For how many ms a lease still stands; 0 if it does not. ARGV: token.
if holder(KEYS[2]) ~= ARGV[1] then
  return 0
end
return redis.call('PTTL', KEYS[2])
