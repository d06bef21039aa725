import { expect, test } from 'vitest';

import { fitOf, meaningOf, replicasOf, stepsOf } from '@/features/endpoints/estimate';

const GIB = 2 ** 30;
const memory = { weight_bytes: GIB, kv_cache_bytes: GIB, overhead_bytes: GIB / 8, sequences: 8, replica_bytes: 2.125 * GIB, held_bytes: 2 * GIB, left_bytes: 6 * GIB, total_bytes: 8 * GIB };
const measured = { throughput_chunk_size: 100, is_provisional: false, prompt_tokens: 128, completion_tokens: 64, work_per_request: 100, percentile: 95, ttft_ms: 120, tpot_ms: 20, e2e_ms: 1500, load_s: 0.5, warning: null };

test('the bar is the whole machine: what others hold, and what this needs', () => {
  const fit = fitOf(memory, 1);
  expect(fit.isTooLarge).toBe(false);
  expect(fit.parts[0]?.percent).toBe(25);
  expect(fit.sentence).toContain('6.0 GiB of 8.0 GiB are free');
});

test('every replica needs its own, and what is too much is said so', () => {
  const fit = fitOf(memory, 3);
  expect(fit.isTooLarge).toBe(true);
  expect(fit.sentence).toContain('for 3 replicas');
  expect(fit.sentence).toContain('It does not fit');
  expect(fit.parts.reduce((sum, { percent }) => sum + percent, 0)).toBeCloseTo(100);
});

test('throughput means requests of the measured shape', () => {
  expect(meaningOf(measured, 100)).toBe('About 60 requests a minute of 128 prompt and 64 completion tokens, 2 at a time; first token within 120 ms, 50 tokens/s each (p95).');
  expect(meaningOf(measured, 1)).toContain('0.6 requests a minute');
});

test('what was not measured is not claimed', () => {
  expect(meaningOf({ ...measured, work_per_request: null }, 100)).toBeNull();
  expect(meaningOf({ ...measured, ttft_ms: null, tpot_ms: null, e2e_ms: null }, 100)).toBe('About 60 requests a minute of 128 prompt and 64 completion tokens.');
});

test('only shared entities have a size', () => {
  expect([replicasOf({ mode: 'shared', workloadSize: 'Large' }), replicasOf({ mode: 'units', workloadSize: 'Large' })]).toEqual([4, 1]);
});

test('No more throughput is offered than the machine has left', () => {
  expect(stepsOf(35, 140)).toEqual([0, 35, 70, 105, 140]);
  expect(stepsOf(35, 0)).toEqual([0, 35]);
  expect(stepsOf(35, null)).toHaveLength(21);
});
