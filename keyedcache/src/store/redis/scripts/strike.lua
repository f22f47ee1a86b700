-- Replaces the hard or the soft token of a scope, blindly. KEYS: generation. ARGV: where, token.
-- What cannot be written to, since memory is full or it is no text, goes: absent means missing.
if redis.call('EXISTS', KEYS[1]) == 1 then
  local struck = redis.pcall('SETRANGE', KEYS[1], ARGV[1], ARGV[2])
  if type(struck) == 'table' then
    redis.call('UNLINK', KEYS[1])
  end
end
return 1
