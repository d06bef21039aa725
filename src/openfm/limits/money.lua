-- What the scripts of budgets begin with. KEYS[1] is one hash: 's/<key>' is what is spent ('number hi lo'), 'h/<key>'
-- what is held ('hi lo'), 'r/<request id>' what the request holds ('since', then 'key hi lo' for each key).
-- Amounts are 10^-12 in two parts, for a double is exact to 2^53 only: hi * 10^6 + lo.
local BASE = 1000000

local function amount(hi, lo)
  return { hi = tonumber(hi), lo = tonumber(lo) }
end

local function plus(a, b, sign)
  local lo = a.lo + sign * b.lo
  local carry = math.floor(lo / BASE)
  return { hi = a.hi + sign * b.hi + carry, lo = lo - carry * BASE }
end

local function is_less(a, b)
  return a.hi < b.hi or (a.hi == b.hi and a.lo < b.lo)
end

local function words(text)
  local found = {}
  for word in string.gmatch(text or '', '%S+') do found[#found + 1] = word end
  return found
end

local function written(a)
  return string.format('%.0f %.0f', a.hi, a.lo)
end

local function held(key)
  local parts = words(redis.call('HGET', KEYS[1], 'h/' .. key))
  return amount(parts[1] or 0, parts[2] or 0)
end

-- What is spent, if that is no older than the number; else nil.
local function spent(key, number)
  local parts = words(redis.call('HGET', KEYS[1], 's/' .. key))
  if parts[1] and tonumber(parts[1]) >= number then return amount(parts[2], parts[3]) end
end

local function add_held(key, a, sign)
  local now = plus(held(key), a, sign)
  if now.hi == 0 and now.lo == 0 then
    redis.call('HDEL', KEYS[1], 'h/' .. key)
  else
    redis.call('HSET', KEYS[1], 'h/' .. key, written(now))
  end
end

-- What a request holds: key -> amount, the keys in order, and since when.
local function holding(request)
  local parts = words(redis.call('HGET', KEYS[1], 'r/' .. request))
  local amounts, keys = {}, {}
  for i = 2, #parts, 3 do
    keys[#keys + 1] = parts[i]
    amounts[parts[i]] = amount(parts[i + 1], parts[i + 2])
  end
  return amounts, keys, parts[1]
end

-- It holds these instead.
local function hold(request, amounts, keys, since)
  local before = holding(request)
  for key, a in pairs(before) do add_held(key, a, -1) end
  local parts = { since }
  for _, key in ipairs(keys) do
    local a = amounts[key]
    if a.hi ~= 0 or a.lo ~= 0 then
      parts[#parts + 1] = key .. ' ' .. written(a)
      add_held(key, a, 1)
    end
  end
  if #parts > 1 then
    redis.call('HSET', KEYS[1], 'r/' .. request, table.concat(parts, ' '))
  else
    redis.call('HDEL', KEYS[1], 'r/' .. request)
  end
end
