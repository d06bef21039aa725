import { expect, test } from 'vitest';

import { filledBuckets, RANGES, spanBetween } from '@/lib/ranges';

test('a point for each piece of the time, also where nothing happened', () => {
  const points = filledBuckets([{ at: 3600 * 24, requests: 2, p50: null }], RANGES['1 h'], 3600 * 24 * 1000 + 500);
  expect(points).toHaveLength(60);
  expect(points.at(-1)).toMatchObject({ at: 3600 * 24, requests: 2, p50: null });
  expect(points[0]).toMatchObject({ requests: 0 });
});

test('two moments make a span of whole points, few enough to see', () => {
  expect(spanBetween(1_000, 1_100)).toEqual({ seconds: 120, bucket: 15, end: 1_110 });
  expect(spanBetween(0, 86_400)).toEqual({ seconds: 86_400, bucket: 1_800, end: 86_400 });
  expect(filledBuckets([], spanBetween(1_000, 1_100) ?? RANGES['1 h'], 0).map((point) => point.at)).toEqual([990, 1005, 1020, 1035, 1050, 1065, 1080, 1095]);
});

test.each([
  [2, 1],
  [1, 1],
  [0, 91 * 86_400],
  [Number.NaN, 1],
])('what is turned round, empty or too long (%d to %d) is no span', (from, to) => expect(spanBetween(from, to)).toBeNull());
