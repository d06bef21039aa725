/** A value of an answer as a person reads it. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value);
}

/** A text, or nothing where it is something else. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
