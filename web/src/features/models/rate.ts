/** How much was done when, in ms. */
export type Sample = { at: number; done: number };

const WINDOW_MS = 15_000;
const LEAST_MS = 1_000;

/** The samples that the speed is judged by, with this one; what was done may not become less, or all begins anew. */
export function noted(samples: readonly Sample[], at: number, done: number): Sample[] {
  const last = samples.at(-1);
  if (last && done < last.done) return [{ at, done }];
  const kept = samples.filter((one) => at - one.at <= WINDOW_MS);
  const base = kept.length === samples.length ? kept : [samples[samples.length - kept.length - 1] ?? { at, done }, ...kept];
  return [...base, { at, done }];
}

/** In a second, over the last quarter of a minute; null until that can be said. */
export function speed(samples: readonly Sample[], now: number): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last) return null;
  const passed = now - first.at;
  return passed < LEAST_MS ? null : ((last.done - first.done) * 1000) / passed;
}

/** Milliseconds until all is done at this speed; null where it cannot be said. */
export const timeLeft = (total: number, done: number, perSecond: number | null): number | null =>
  perSecond !== null && perSecond > 0 ? ((total - done) * 1000) / perSecond : null;
