-- Has the era of a share of a cluster's slots be of the data of these primaries. After its 16 bytes
-- stand the marks of the primaries whose data it is of, 8 bytes each. Where one comes and another goes,
-- data may be lost, and another era begins. KEYS: era. ARGV: a new era; the marks of the primaries that
-- answer, of those that do not, and of those that have handed all their slots over.
-- Answers 0 if nothing has changed, 1 if marks have, 2 if the era is another.
local function list(text, from)
  local marks = {}
  for at = from, #text, 8 do
    local mark = text:sub(at, at + 7)
    marks[#marks + 1] = mark
    marks[mark] = true
  end
  return marks
end
local value = redis.pcall('GET', KEYS[1])
local stands = type(value) == 'string' and #value >= 16
local known = list(stands and value or '', 17)
local now, away, left = list(ARGV[2], 1), list(ARGV[3], 1), list(ARGV[4], 1)
local comes, returns, goes, leaves = false, false, false, false
for _, mark in ipairs(now) do
  comes = comes or not known[mark]
end
for _, mark in ipairs(away) do
  returns = returns or not known[mark]
end
for _, mark in ipairs(known) do
  if not now[mark] and not away[mark] then
    leaves = leaves or left[mark]
    goes = goes or not left[mark]
  end
end
local answer, era
if not stands or comes and goes then
  answer, era = 2, ARGV[1]
elseif not goes and (comes or returns or leaves) then
  answer, era = 1, value:sub(1, 16)
else
  return 0
end
redis.call('SET', KEYS[1], era .. ARGV[2] .. ARGV[3])
redis.call('EXISTS', KEYS[1]) -- a write has ended the writer's own registration
return answer
