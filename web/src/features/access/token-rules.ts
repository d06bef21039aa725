const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

export type Standing = 'lasting' | 'valid' | 'soon' | 'ended';

/** How a token stands: `soon` ends within two weeks; a negative end is none. */
export function standing(expiry: number, now: number): Standing {
  if (expiry < 0) return 'lasting';
  if (expiry <= now) return 'ended';
  return expiry - now < SOON_MS ? 'soon' : 'valid';
}

/** Whole days until then, for people: "today", "1 day", "9 days". */
export function daysLeft(expiry: number, now: number): string {
  const days = Math.floor((expiry - now) / DAY_MS);
  return days < 1 ? 'today' : `in ${days} day${days === 1 ? '' : 's'}`;
}

/** What to ask the server for; an empty lifetime has no end. */
export const tokenRequest = (comment: string, days: string): { comment: string; lifetime_seconds?: number } => ({
  comment: comment.trim(),
  ...(days ? { lifetime_seconds: Number(days) * 86_400 } : {}),
});
