-- A request left. ARGV: its id, then for each budget that it cost something: key, hi, lo.
local _, keys, since = holding(ARGV[1])
if not since then return 0 end
local costs = {}
for i = 2, #ARGV, 3 do costs[ARGV[i]] = amount(ARGV[i + 1], ARGV[i + 2]) end
for _, key in ipairs(keys) do costs[key] = costs[key] or amount(0, 0) end
hold(ARGV[1], costs, keys, since)
return 1
