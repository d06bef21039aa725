import { expect, test } from 'vitest';

import { groupOf, sinceOf, startOf, unitOf, whereOf } from '@/parts/usage/filters';
import { partPoints, timePoints } from '@/features/usage/points';

const NOW = Date.parse('2026-11-23T17:30:00Z'); // a Monday

test('weeks begin on Mondays, as the server cuts them', () => {
  expect(startOf('week', Date.parse('2026-11-22T23:59:59Z') / 1000)).toBe(Date.parse('2026-11-16T00:00:00Z') / 1000);
  expect(startOf('week', NOW / 1000)).toBe(Date.parse('2026-11-23T00:00:00Z') / 1000);
});

test('the time begins with a whole piece, and has as many as its name says', () => {
  expect(sinceOf({ range: '24 hours' }, NOW)).toBe(Date.parse('2026-11-22T18:00:00Z') / 1000);
  expect(sinceOf({ range: '7 days' }, NOW)).toBe(Date.parse('2026-11-17T00:00:00Z') / 1000);
});

test('a unit that does not suit the time is not used', () => {
  expect(unitOf({ range: '24 hours', unit: 'week' })).toBe('hour');
  expect(unitOf({ range: '7 days', unit: 'hour' })).toBe('hour');
  expect(unitOf({ range: 'nonsense' })).toBe('day');
});

test('what somebody filters by cannot leave its quotes', () => {
  const where = whereOf({ endpoint: "x' OR 1=1 --", tag: "a'b=c'd" }, NOW);
  expect(where).toContain("endpoint_name = 'x'' OR 1=1 --'");
  expect(where).toContain("usage_context['a''b'] = 'c''d'");
  expect(groupOf("tag:o'k").sql).toContain("usage_context['o''k']");
});

test('a tag that is not key=value filters nothing; an unknown group is the endpoint', () => {
  expect(whereOf({ tag: 'team' }, NOW)).not.toContain('usage_context');
  expect(groupOf('DROP').key).toBe('endpoint');
});

test('pieces without requests are there: counts are zero, times are unknown', () => {
  const at = Date.parse('2026-11-20T00:00:00Z') / 1000;
  const rows = [{ at: null, requests: 4 }, { at, requests: 4, input: 40, output: 8, latency: [1, 2, 3] }];
  const costs = [{ currency: 'USD', no_at: 0, no_part: 1, at, cost: '0.5' }];
  const points = timePoints(rows, costs, { range: '7 days' }, NOW);
  expect(points).toHaveLength(7);
  expect(points[0]).toMatchObject({ requests: 0, p50: null, inputEach: null, 'cost USD': 0 });
  expect(points[3]).toMatchObject({ label: 'Nov 20', requests: 4, p99: 3, inputEach: 10, outputEach: 2, 'cost USD': 0.5 });
});

test('currencies are never added up', () => {
  const part = (currency: string, cost: string) => ({ currency, cost, part: 'a', no_part: 0, no_at: 1 });
  expect(partPoints([part('USD', '2'), part('EUR', '1')], 8, 'None')).toEqual([{ label: 'a', 'cost USD': 2, 'cost EUR': 1 }]);
});
