-- What every script begins with. A window is a hash: tick -> amount, and 'used', the sum; 'first' and 'last', the ticks
-- between which all others are. The rules are those of core/limits.py, in whole microseconds.
local TICKS = 120

-- Redis would write a large number with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

-- Never less than before: where the clock steps back, no time passes.
local function steady_us(key, given)
  local now = tonumber(given)
  if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  local kept = redis.call('HMGET', key, 'last', 'lost')
  local last, lost = tonumber(kept[1]) or now, tonumber(kept[2]) or 0
  if now < last then
    lost = lost + last - now
    redis.call('HSET', key, 'last', whole(now), 'lost', whole(lost))
  elseif now > last or not kept[1] then
    redis.call('HSET', key, 'last', whole(now))
  end
  return now + lost
end

local function expiry_us(window, tick)
  return (tick + 1) * window.tick_us + window.span
end

-- The window without what does not count any more.
local function opened(key, span, now)
  local window = { span = span, tick_us = math.ceil(span / TICKS), key = key }
  window.tick = math.floor(now / window.tick_us)
  local kept = redis.call('HMGET', key, 'used', 'first', 'last')
  window.used, window.first, window.last = tonumber(kept[1]) or 0, tonumber(kept[2]), tonumber(kept[3])
  if not window.last then return window end
  -- Only if the clock's own key was lost. What comes now counts longer then.
  window.tick = math.max(window.tick, window.last)
  if expiry_us(window, window.last) <= now then
    redis.call('DEL', key)
    window.used, window.first, window.last = 0, nil, nil
    return window
  end
  local gone = {}
  while expiry_us(window, window.first) <= now do
    gone[#gone + 1] = whole(window.first)
    window.first = window.first + 1
  end
  if #gone > 0 then
    local amounts = redis.call('HMGET', key, unpack(gone))
    for _, amount in ipairs(amounts) do
      if amount then window.used = window.used - tonumber(amount) end
    end
    redis.call('HDEL', key, unpack(gone))
    redis.call('HSET', key, 'used', whole(window.used), 'first', whole(window.first))
  end
  return window
end

local function add(key, window, amount)
  local tick = whole(window.tick)
  window.used, window.first, window.last = window.used + amount, window.first or window.tick, window.tick
  redis.call('HINCRBY', key, tick, whole(amount))
  redis.call('HSET', key, 'used', whole(window.used), 'first', whole(window.first), 'last', tick)
  redis.call('PEXPIRE', key, math.ceil((window.span + 2 * window.tick_us) / 1000) + 1000)
end

-- Ticks and their amounts, the oldest first.
local function each(window)
  local ticks = {}
  for tick = window.first, window.last do ticks[#ticks + 1] = whole(tick) end
  return redis.call('HMGET', window.key, unpack(ticks))
end

local function wait_us(window, room, now)
  if not window.last then return 0 end
  local excess = window.used - room
  local amounts = each(window)
  local wait = 0
  for i = 1, #amounts do
    if excess <= 0 then break end
    if amounts[i] then
      excess = excess - tonumber(amounts[i])
      wait = expiry_us(window, window.first + i - 1) - now
    end
  end
  return wait
end

local function reset_us(window, now)
  if not window.last or window.used == 0 then return 0 end
  return expiry_us(window, window.last) - now
end

