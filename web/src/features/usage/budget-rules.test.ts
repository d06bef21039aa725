import { expect, test } from 'vitest';

import { bodyOf, boundBy, draftProblems, NEW_BUDGET } from '@/features/usage/budget-rules';
import { monthsBack, totalsOf } from '@/features/usage/invoice-rules';

const draft = { ...NEW_BUDGET, name: 'red', amount: '40' };

test('a budget for everybody has no target, and alerts are numbers', () => {
  expect(bodyOf({ ...draft, target: 'left over', alerts: '50, 80 %' })).toEqual({ amount: '40', currency: 'USD', period: 'month', action: 'stop', scope: 'all', alerts: [50, 80] });
});

test('what is missing is said at its field', () => {
  expect(Object.keys(draftProblems({ ...NEW_BUDGET, alerts: 'soon', scope: 'tag', target: 'team' })).sort()).toEqual(['alerts', 'amount', 'name', 'target']);
  expect(draftProblems(draft)).toEqual({});
});

test('whom a budget binds is said in words', () => {
  expect(boundBy({ scope: 'user_group', target: 'red' })).toBe('Group red');
  expect(boundBy({ scope: 'all' })).toBe('Everybody');
});

test('an invoice is added up to the last digit, by currency', () => {
  const lines = [
    { currency: 'USD', amount: '0.1' },
    { currency: 'USD', amount: '0.200000000001' },
    { currency: 'EUR', amount: '-1' },
  ];
  expect(totalsOf(lines)).toEqual([['USD', '0.300000000001'], ['EUR', '-1.000000000000']]);
});

test('months go back over the turn of the year', () => {
  expect(monthsBack(3, Date.parse('2026-01-31T12:00:00Z'))).toEqual(['2026-01', '2025-12', '2025-11']);
});
