import { expect, test } from 'vitest';

import type { Sample } from '@/api/endpoints';
import { hourPoints } from '@/features/endpoint/hour';

const sample = (at: number, waiting: number | null): Sample => ({
  timestamp: at * 1000 + 300,
  replicas: 1,
  requests_running: 0,
  requests_waiting: waiting,
  kv_cache_percent: null,
  cpu_percent: 1,
  memory_percent: 1,
  prompt_tokens_per_s: 0,
  completion_tokens_per_s: 0,
});

const history = (...samples: Sample[][]) => ({ interval_s: 15, served_entities: samples.map((one, index) => ({ name: `e${index}`, samples: one })) });

test('The hour begins where something is known, and what is not is null', () => {
  const points = hourPoints(history([sample(7_230, 2), sample(7_260, 4)], [sample(7_245, null)]), 'requests_waiting', 7_270_000);
  expect(points.map((point) => [point.entity0, point.entity1])).toEqual([[2, null], [null, null], [4, null]]);
});

test('What is older than an hour is left out', () => expect(hourPoints(history([sample(0, 1), sample(7_200, 3)]), 'requests_waiting', 7_205_000)).toHaveLength(240));
