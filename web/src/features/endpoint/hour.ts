import type { History, Sample } from '@/api/endpoints';

const HOUR_S = 3_600;
const form = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export type Measure = 'requests_waiting' | 'requests_running' | 'kv_cache_percent' | 'cpu_percent' | 'memory_percent' | 'replicas';
type HourPoint = { label: string } & Record<string, string | number | null>;

/**
 * A point for each piece of the last hour, from the first that is known; null where nothing ran. What `measure` was of an
 * entity is under its place in `history.served_entities`, for names may be those of other fields.
 */
export function hourPoints(history: History, measure: Measure, nowMs: number): HourPoint[] {
  const { interval_s: step } = history;
  const placeOf = (sample: Sample): number => Math.floor(sample.timestamp / 1000 / step);
  const last = Math.floor(nowMs / 1000 / step);
  const known = history.served_entities.map(({ samples }) => new Map(samples.map((sample) => [placeOf(sample), sample[measure]])));
  const first = Math.max(last - HOUR_S / step + 1, Math.min(last, ...known.flatMap((one) => [...one.keys()].slice(0, 1))));
  const points: HourPoint[] = [];
  for (let at = first; at <= last; at += 1) {
    const point: HourPoint = { label: form.format(at * step * 1000) };
    known.forEach((one, index) => (point[`entity${index}`] = one.get(at) ?? null));
    points.push(point);
  }
  return points;
}
