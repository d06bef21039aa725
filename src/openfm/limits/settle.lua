-- A request left. KEYS[1] is the clock, then one key a claim. ARGV: the time (us; '' for the server's own), the
-- reservation's id, then for each claim: 'w' or 'c', the tick it counts in, what to give back (negative: what to add),
-- the window (us).
local now = steady_us(KEYS[1], ARGV[1])
for i = 2, #KEYS do
  local at = 3 + (i - 2) * 4
  if ARGV[at] == 'c' then
    redis.call('ZREM', KEYS[i], ARGV[2])
  else
    local rest = tonumber(ARGV[at + 2])
    if rest > 0 then
      local counted = tonumber(redis.call('HGET', KEYS[i], ARGV[at + 1]) or 0)
      rest = math.min(rest, counted)
      if rest > 0 then
        redis.call('HINCRBY', KEYS[i], ARGV[at + 1], whole(-rest))
        redis.call('HINCRBY', KEYS[i], 'used', whole(-rest))
      end
    elseif rest < 0 then
      add(KEYS[i], opened(KEYS[i], tonumber(ARGV[at + 3]), now), -rest)
    end
  end
end
return 1
