-- Requests are still under way. KEYS[1] is the clock, then one key a lease. ARGV: the time (us; '' for the server's
-- own), us until the leases end, then the id of each lease.
local now = steady_us(KEYS[1], ARGV[1])
local span = tonumber(ARGV[2])
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[i], 'XX', whole(now + span), ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], math.ceil(2 * span / 1000))
end
return 1
