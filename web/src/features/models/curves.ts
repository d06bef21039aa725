import type { Point as Measured, Profile, Rate } from '@/api/calibrations';

type Row = Record<string, string | number | null>;

/** Prompt and answer tokens a second by how many requests run at once. */
export function batchCurve(profile: { prefill: readonly Rate[]; decode: readonly Rate[] }): Row[] {
  const batches = [...new Set([...profile.prefill, ...profile.decode].map((one) => one.batch))].sort((one, other) => one - other);
  const at = (rates: readonly Rate[], batch: number): number | null => rates.find((one) => one.batch === batch)?.tokens_per_s ?? null;
  return batches.map((batch) => ({ label: String(batch), prefill: at(profile.prefill, batch), decode: at(profile.decode, batch) }));
}

/** What requests waited for at each arrival rate that was tried, the slower first. */
export function latencyCurve(points: readonly Measured[]): Row[] {
  return points
    .filter((one): one is Measured & { rate: number } => one.kind === 'knee' && one.rate !== null)
    .sort((one, other) => one.rate - other.rate)
    .map(({ rate, ttft_ms, tpot_ms, e2e_ms, is_objective_met }) => ({ label: rate.toPrecision(3), ttft_ms, tpot_ms, e2e_ms, met: is_objective_met ? 1 : 0 }));
}

const NAMES = { ttft_ms: 'first token', tpot_ms: 'each token', e2e_ms: 'whole answer' } as const;

/** The bounds that a promise keeps, as a sentence. */
export function objectiveText({ percentile, ...bounds }: Profile['setting']['objective']): string {
  const kept = Object.entries(NAMES).flatMap(([key, name]) => {
    const bound = bounds[key as keyof typeof NAMES];
    return bound === null ? [] : [`${name} within ${bound} ms`];
  });
  return `${kept.join(', ') || 'an answer'} for ${percentile} % of requests`;
}
