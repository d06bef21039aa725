type Charged = { currency: string; amount: string };

/** This month and those before it, as 2026-11, in UTC. */
export function monthsBack(most: number, nowMs: number): string[] {
  const now = new Date(nowMs);
  return Array.from({ length: most }, (_, ago) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1)).toISOString().slice(0, 7));
}

const DIGITS = 12;
const SCALE = 10n ** BigInt(DIGITS);

/** An exact decimal in units of 10^-12: amounts have no more digits, and floating point would lose the last ones. */
function pico(amount: string): bigint {
  const isNegative = amount.startsWith('-');
  const [head = '0', tail = ''] = amount.replace('-', '').split('.');
  const value = BigInt(head) * SCALE + BigInt(tail.padEnd(DIGITS, '0').slice(0, DIGITS));
  return isNegative ? -value : value;
}

const shown = (value: bigint): string => {
  const size = value < 0n ? -value : value;
  return `${value < 0n ? '-' : ''}${size / SCALE}.${String(size % SCALE).padStart(DIGITS, '0')}`;
};

/** The exact sum in each currency. */
export function totalsOf(lines: readonly Charged[]): [string, string][] {
  const sums = new Map<string, bigint>();
  for (const line of lines) sums.set(line.currency, (sums.get(line.currency) ?? 0n) + pico(line.amount));
  return [...sums].map(([currency, sum]) => [currency, shown(sum)]);
}
