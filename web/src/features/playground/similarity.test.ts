import { expect, test } from 'vitest';

import { cosine, grid, textsOf } from '@/features/playground/similarity';

test('vectors of one direction are alike, those at right angles are not, whatever their length', () => {
  expect(cosine([1, 2], [10, 20])).toBeCloseTo(1);
  expect(cosine([1, 0], [0, 5])).toBe(0);
  expect(cosine([1, 0], [-2, 0])).toBe(-1);
});

test('nothing is like nothing', () => expect(cosine([0, 0], [1, 1])).toBe(0));

test('each is compared with each, and the grid is the same from both sides', () => {
  const found = grid([[1, 0], [1, 1], [0, 1]]);
  expect(found.map((row) => row.map((value) => value.toFixed(2)))).toEqual([
    ['1.00', '0.71', '0.00'],
    ['0.71', '1.00', '0.71'],
    ['0.00', '0.71', '1.00'],
  ]);
});

test('each line is a text', () => expect(textsOf(' a \n\nb')).toEqual(['a', 'b']));
