import { expect, test } from 'vitest';

import { duration, elapsed, modelUnits, short } from '@/lib/format';

test.each([
  [0, '0'],
  [0.25, '0.25'],
  [9.999, '10'],
  [123.4, '123'],
  [12_345, '12.3K'],
])('%d is shown short as %s', (value, shown) => expect(short(value)).toBe(shown));

test.each([
  [0, '0 ms'],
  [0.4, '0.4 ms'],
  [250.6, '251 ms'],
  [1500, '1.50 s'],
  [61_000, '1 min 1 s'],
])('%d milliseconds are said as %s', (ms, shown) => expect(duration(ms)).toBe(shown));

test('One unit is no units', () => expect([1, 2].map(modelUnits)).toEqual(['1 model unit', '2 model units']));

test.each([
  [418, '0 s'],
  [12_900, '12 s'],
  [61_000, '1 min 1 s'],
])('What goes on for %d milliseconds does so for %s', (ms, shown) => expect(elapsed(ms)).toBe(shown));
