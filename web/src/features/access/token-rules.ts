const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

export type Standing = 'lasting' | 'valid' | 'soon' | 'ended';

/** How a token stands: `soon` ends within two weeks; a negative end is none. */
export function standing(expiry: number, now: number): Standing {
  if (expiry < 0) return 'lasting';
  if (expiry <= now) return 'ended';
  return expiry - now < SOON_MS ? 'soon' : 'valid';
}

/** How long until then, for people: "in 9 days". */
export function daysLeft(expiry: number, now: number): string {
  const days = Math.round((expiry - now) / DAY_MS);
  if (expiry - now < DAY_MS) return 'in less than a day';
  return `in ${days} day${days === 1 ? '' : 's'}`;
}

/** What to ask the server for; an empty lifetime has no end. */
export const tokenRequest = (comment: string, days: string): { comment: string; lifetime_seconds?: number } => ({
  comment: comment.trim(),
  ...(days ? { lifetime_seconds: Number(days) * 86_400 } : {}),
});
