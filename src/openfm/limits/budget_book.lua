-- Requests are counted as spent. ARGV: how many budgets, then for each: key, number, hi, lo; then the requests' ids.
local last = 1 + 4 * tonumber(ARGV[1])
for i = 2, last, 4 do
  if not spent(ARGV[i], tonumber(ARGV[i + 1]) + 1) then
    redis.call('HSET', KEYS[1], 's/' .. ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[i + 3])
  end
end
for i = last + 1, #ARGV do hold(ARGV[i], {}, {}, '') end
return 1
