import { expect, test } from 'vitest';

import { shownField } from '@/lib/ledger-row';

const ROW = { cost: '0.000000000000', currency: 'USD', queue_ms: 1500, usage_context: { team: 'search' }, request_time: '2026-11-30T10:00:01.250', input_token_count: 12_345, token_id: null, request_streaming: false };

test.each([
  ['cost', '0 USD'],
  ['currency', null],
  ['queue_ms', '1.50 s'],
  ['usage_context', 'team=search'],
  ['request_time', '2026-11-30 10:00:01.250'],
  ['input_token_count', '12,345'],
  ['token_id', null],
  ['request_streaming', 'No'],
])('%s is read as %s', (name, shown) => expect(shownField(ROW, name)).toBe(shown));

test('Without tags there is no field of them', () => expect(shownField({ usage_context: {} }, 'usage_context')).toBeNull());
