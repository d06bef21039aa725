-- Takes every claim or none. KEYS[1] is the clock, then one key a claim.
-- ARGV: the time (us; '' for the server's own), the reservation's id, us until a lease ends, then for each claim:
-- 'w' or 'c', the limit, the amount, the window (us).
-- Answers {1 or 0, then for each claim: used before, us to wait, us until nothing counts, tick}.
local now = steady_us(KEYS[1], ARGV[1])
local answer, admitted, windows = { 1 }, true, {}
for i = 2, #KEYS do
  local at = 4 + (i - 2) * 4
  local limit, amount = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local used, wait, reset, tick = 0, 0, 0, 0
  if ARGV[at] == 'c' then
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', whole(now))
    used = redis.call('ZCARD', KEYS[i])
  else
    local window = opened(KEYS[i], tonumber(ARGV[at + 3]), now)
    windows[i] = window
    used, reset, tick = window.used, reset_us(window, now), window.tick
    if used + amount > limit then wait = wait_us(window, limit - amount, now) end
  end
  if used + amount > limit then admitted = false end
  local found = #answer
  answer[found + 1], answer[found + 2], answer[found + 3], answer[found + 4] = used, wait, reset, tick
end
if not admitted then
  answer[1] = 0
  return answer
end
for i = 2, #KEYS do
  local at = 4 + (i - 2) * 4
  if ARGV[at] == 'c' then
    redis.call('ZADD', KEYS[i], whole(now + tonumber(ARGV[3])), ARGV[2])
    redis.call('PEXPIRE', KEYS[i], math.ceil(2 * tonumber(ARGV[3]) / 1000))
  else
    add(KEYS[i], windows[i], tonumber(ARGV[at + 2]))
    answer[2 + (i - 2) * 4 + 2] = reset_us(windows[i], now)
  end
end
return answer
