-- What several scripts know. KEYS are a key's record, lease, header, and what goes with the lease, in
-- this order.

-- The text under a name: `false` if nothing, or something of another type, is there.
local function text(name)
  local value = redis.pcall('GET', name)
  return type(value) == 'string' and value
end

-- The token of the lease that stands.
local function holder(lease)
  local value = text(lease)
  return value and #value == 16 and value
end

-- Has this process told of the lease's end, and of a record that comes. What goes with the lease is put
-- there anew if it was evicted; without it only the record tells. Put there before this process is to be
-- told of it: it would be told of that.
local function watch()
  redis.pcall('SET', KEYS[4], '', 'PX', 3600000, 'NX')
  redis.call('EXISTS', KEYS[1], KEYS[4])
end

-- Whether what stands under the record's name is what was seen: '' is nothing, 16 bytes an id.
-- Of what is too short to bear an id only the caller can tell one. It is told the bytes, and asks
-- again with them (`value`, `head`) instead of an id.
local function stands(seen, value, head)
  if redis.call('TYPE', KEYS[1]).ok ~= 'string' then
    return seen == ''
  end
  if value then
    return text(KEYS[1]) == value and (text(KEYS[3]) or '') == head
  end
  if seen == '' then
    return false
  end
  if redis.call('STRLEN', KEYS[1]) > 20 then
    return redis.call('GETRANGE', KEYS[1], 4, 19) == seen
  end
  return { text(KEYS[1]), text(KEYS[3]) or '' }
end

-- Sets a name for so many milliseconds; '0' is for ever.
local function set(name, value, ttl)
  if ttl == '0' then
    redis.call('SET', name, value)
  else
    redis.call('SET', name, value, 'PX', ttl)
  end
end
