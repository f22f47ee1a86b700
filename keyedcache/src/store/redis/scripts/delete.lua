-- Deletes a record and takes the lease away: whether a record was there.
local was_there = redis.call('TYPE', KEYS[1]).ok == 'string'
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return was_there and 1 or 0
