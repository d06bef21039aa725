import { expect, test } from 'vitest';

import { activityOf } from '@/features/endpoints/activity';

const NOW = 1_000_000_200_000; // within the piece that begins at 1,000,000,200 s
const row = (endpoint_name: string, at: number, total: number, bad = 0) => ({ endpoint_name, at, total, bad });

test('an hour in pieces of five minutes, the newest last', () => {
  const found = activityOf([row('a', 1_000_000_200, 3, 1), row('a', 1_000_000_200 - 55 * 60, 5), row('b', 1_000_000_200, 1)], NOW);
  const a = found.get('a');
  expect(a?.bars.map((bar) => bar.total)).toEqual([5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
  expect(a?.label).toBe('8 requests in the last hour, 13 % errors');
  expect(found.get('b')?.label).toBe('1 request in the last hour, 0 % errors');
  expect(found.has('c')).toBe(false);
});

test('what is older than the picture is left out, and few errors are not none', () => {
  const found = activityOf([row('a', 1_000_000_200 - 3600, 9), row('b', 1_000_000_200, 1000, 2)], NOW);
  expect(found.has('a')).toBe(false);
  expect(found.get('b')?.label).toContain('under 1 % errors');
});
