import { expect, test } from 'vitest';

import { EMPTY_LIMIT, howMuch, isComplete, limitRequest, whom } from '@/features/settings/limit-rules';
import { rateText } from '@/lib/rate-limits';

test('a limit without a name is for each of its kind', () => {
  expect(whom({ scope: 'user' })).toBe('Each user');
  expect(whom({ scope: 'user', principal: 'ann' })).toBe('ann');
  expect(whom({ scope: 'all' })).toBe('Everybody together');
  expect(whom({ scope: 'user_group', principal: 'team' })).toBe('Group team');
});

test('what is counted at once has no period', () => {
  expect(limitRequest({ ...EMPTY_LIMIT, measure: 'concurrency', amount: 4 })).toEqual({ scope: 'all', measure: 'concurrency', amount: 4 });
  expect(howMuch({ amount: 4 })).toBe('4');
  expect(howMuch({ amount: 1000, period: 'minute' })).toBe('1,000 a minute');
});

test('a name that was typed for another scope is not sent for everybody', () => {
  expect(limitRequest({ ...EMPTY_LIMIT, principal: 'ann' })).not.toHaveProperty('principal');
});

test('a group has to be named, and an amount given', () => {
  expect(isComplete({ ...EMPTY_LIMIT, scope: 'user_group' })).toBe(false);
  expect(isComplete({ ...EMPTY_LIMIT, amount: '' })).toBe(false);
  expect(isComplete(EMPTY_LIMIT)).toBe(true);
});

test('limits of endpoints are told in words', () => {
  expect(rateText({ calls: 10, key: 'user', renewal_period: 'minute' })).toBe('10 requests a minute, each user');
  expect(rateText({ tokens: 5000, key: 'user_group', principal: 'team', renewal_period: 'minute' })).toBe('5,000 tokens a minute, team');
});
