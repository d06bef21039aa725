-- Holds every claim or none. ARGV: the request's id, the time (us), then for each claim: its key, 1 where the budget
-- stops requests, the budget (hi, lo), the amount (hi, lo), what the gateway knows to be spent (number, hi, lo).
-- Answers {1}, or {0, which claim, used without this request: hi, lo}.
local amounts, keys, since = holding(ARGV[1])
for i = 3, #ARGV, 9 do
  local key, number = ARGV[i], tonumber(ARGV[i + 6])
  local sum = spent(key, number)
  if not sum then
    sum = amount(ARGV[i + 7], ARGV[i + 8])
    redis.call('HSET', KEYS[1], 's/' .. key, ARGV[i + 6] .. ' ' .. written(sum))
  end
  local asked, has = amount(ARGV[i + 4], ARGV[i + 5]), amounts[key] or amount(0, 0)
  local used = plus(plus(sum, held(key), 1), has, -1)
  if is_less(has, asked) then
    if ARGV[i + 1] == '1' and is_less(amount(ARGV[i + 2], ARGV[i + 3]), plus(used, asked, 1)) then
      return { 0, (i - 3) / 9, used.hi, used.lo }
    end
  end
end
for i = 3, #ARGV, 9 do
  local key, asked = ARGV[i], amount(ARGV[i + 4], ARGV[i + 5])
  if not amounts[key] then keys[#keys + 1] = key end
  if not amounts[key] or is_less(amounts[key], asked) then amounts[key] = asked end
end
hold(ARGV[1], amounts, keys, since or ARGV[2])
return { 1 }
