const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

export const count = (value: number): string => whole.format(value);
export function short(value: number): string {
  if (Math.abs(value) < 10) return small.format(value);
  return Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value);
}

export const requests = (number: number): string => `${count(number)} ${number === 1 ? 'request' : 'requests'}`;
export const modelUnits = (units: number): string => `${count(units)} model ${units === 1 ? 'unit' : 'units'}`;

/** Milliseconds as people say them. */
export function duration(ms: number): string {
  if (ms < 10) return `${small.format(ms)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long something goes on already: to the second, for nobody counts the rest. */
export const elapsed = (ms: number): string => (ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : duration(ms));

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(value) / 10)) : 0;
  return `${(value / 1024 ** step).toFixed(step > 1 ? 1 : 0)} ${units[step] ?? ''}`;
}

/** An exact decimal as the server wrote it, without zeros that say nothing. */
export function money(amount: string, currency: string): string {
  const [head = '0', tail = ''] = amount.split('.');
  const digits = tail.replace(/0+$/, '');
  const grouped = head.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return `${digits ? `${grouped}.${digits}` : grouped} ${currency}`;
}

const date = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const moment = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });

export const day = (ms: number): string => date.format(ms);
export const dateTime = (ms: number): string => moment.format(ms);

/** How long ago, in the largest unit that fits. */
export function ago(ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  const units: [number, string][] = [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ];
  for (const [size, name] of units) {
    const number = Math.floor(seconds / size);
    if (number >= 1) return `${number} ${name}${number === 1 ? '' : 's'} ago`;
  }
  return 'just now';
}

export const isoDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
