import { expect, test } from 'vitest';

import { batchCurve, latencyCurve, objectiveText } from '@/features/models/curves';

const point = (rate: number | null, ttft: number, kind = 'knee') => ({ kind, key: '', concurrency: 1, requests: 9, rate, ttft_ms: ttft, tpot_ms: 20, e2e_ms: null, is_objective_met: ttft < 3000 });

test('prompt and answer speeds share one axis, also where only one was measured', () => {
  const rows = batchCurve({ prefill: [{ batch: 4, tokens_per_s: 200 }], decode: [{ batch: 4, tokens_per_s: 90 }, { batch: 1, tokens_per_s: 40 }] });
  expect(rows).toEqual([
    { label: '1', prefill: null, decode: 40 },
    { label: '4', prefill: 200, decode: 90 },
  ]);
});

test('latencies are of the arrival rates alone, in their order', () => {
  const rows = latencyCurve([point(2, 4000), point(0.5, 300), point(null, 9, 'solo')]);
  expect(rows.map(({ label, met }) => [label, met])).toEqual([
    ['0.500', 1],
    ['2.00', 0],
  ]);
});

test('an objective reads as a sentence', () => {
  expect(objectiveText({ ttft_ms: 3000, tpot_ms: 200, e2e_ms: null, percentile: 95 })).toBe('first token within 3000 ms, each token within 200 ms for 95 % of requests');
});
