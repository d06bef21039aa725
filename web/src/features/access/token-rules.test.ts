import { expect, test } from 'vitest';

import { daysLeft, standing, tokenRequest } from '@/features/access/token-rules';

const DAY = 86_400_000;

test('a token that ends within two weeks is told of before it ends', () => {
  expect(standing(-1, 0)).toBe('lasting');
  expect(standing(15 * DAY, 0)).toBe('valid');
  expect(standing(13 * DAY, 0)).toBe('soon');
  expect(standing(DAY, DAY)).toBe('ended');
});

test('the time left is told in days', () => {
  expect(daysLeft(DAY / 2, 0)).toBe('in less than a day');
  expect(daysLeft(1.4 * DAY, 0)).toBe('in 1 day');
  expect(daysLeft(9 * DAY - 1000, 0)).toBe('in 9 days');
});

test('a token without an end is asked for without a lifetime', () => {
  expect(tokenRequest(' ci ', '')).toEqual({ comment: 'ci' });
  expect(tokenRequest('ci', '7')).toEqual({ comment: 'ci', lifetime_seconds: 604_800 });
});
