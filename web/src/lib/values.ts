/** A value of an answer as a person reads it. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value);
}

/** A text, or nothing where it is something else. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const SHOWN_DIGITS = 4;
/** An amount for reading; where it counts, pages show and files hold the exact one. */
export function rounded(amount: string): string {
  const value = Number(amount);
  return Math.abs(value) >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(SHOWN_DIGITS)));
}
