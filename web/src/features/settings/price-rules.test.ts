import { expect, test } from 'vitest';

import type { Price } from '@/api/usage';
import { amountError, EMPTY_PRICE, isComplete, priceRequest, standings } from '@/features/settings/price-rules';

const price = (version: number, endpoint: string, day: number): Price => ({ version, endpoint, currency: 'USD', prompt: '1', effective_from: `2026-01-0${day}T00:00:00Z`, created_by: 'admin' });

test('of a target’s prices the latest that began holds, others did or will', () => {
  const found = standings([price(1, 'chat', 1), price(2, 'chat', 3), price(3, 'chat', 7), price(4, 'embed', 2)], Date.parse('2026-01-05T00:00:00Z'));
  expect(Object.fromEntries(found)).toEqual({ 1: 'before', 2: 'now', 3: 'later', 4: 'now' });
});

test('of two that begin at once the one set last holds', () => {
  expect(standings([price(2, 'chat', 1), price(1, 'chat', 1)], Date.parse('2026-02-01')).get(2)).toBe('now');
});

test('amounts are decimals, with a point or a comma', () => {
  for (const good of ['', '0', '0.25', '1,5', '100000']) expect(amountError(good)).toBeNull();
  for (const bad of ['-1', '1e3', '0.1234567', 'free']) expect(amountError(bad)).not.toBeNull();
});

test('a price needs a target, a currency and an amount', () => {
  const whole = { ...EMPTY_PRICE, target: 'chat-*', amounts: { ...EMPTY_PRICE.amounts, prompt: '1' } };
  expect(isComplete(whole)).toBe(true);
  expect(isComplete({ ...whole, currency: 'usd' })).toBe(false);
  expect(isComplete({ ...whole, amounts: EMPTY_PRICE.amounts })).toBe(false);
});

test('what was not given is not sent, and times are sent with their zone', () => {
  const draft = { ...EMPTY_PRICE, kind: 'entity_name' as const, target: ' main.default.m ', from: '2026-12-01T00:00', amounts: { ...EMPTY_PRICE.amounts, completion: '1,25' } };
  expect(priceRequest(draft)).toEqual({ entity_name: 'main.default.m', currency: 'USD', completion: '1.25', effective_from: new Date('2026-12-01T00:00').toISOString() });
});
