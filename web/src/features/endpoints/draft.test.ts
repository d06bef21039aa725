import { expect, test } from 'vitest';

import { type Draft, leastOf, lineDiff, newEntity, problemsOf, scaledToZero } from '@/features/endpoints/draft';

const draft = (change: Partial<Draft> = {}): Draft => ({ name: 'mine', description: '', tags: [], entities: [newEntity(0, 100, 'main.default.m', '1')], ...change });
const NONE = new Set<string>();

test('A whole draft has no problems', () => expect(problemsOf(draft(), NONE)).toEqual({}));

test.each(['', 'a b', '-a', 'ü', 'x'.repeat(64)])('The name %j is refused before it is sent', (name) => {
  expect(problemsOf(draft({ name }), NONE)).toHaveProperty('name');
});

test('A name that is taken is refused', () => expect(problemsOf(draft(), new Set(['mine']))).toHaveProperty('name'));

test('Traffic of several entities adds up to 100', () => {
  const two = [newEntity(0, 60, 'main.default.m', '1'), newEntity(1, 30, 'main.default.m', '2')];
  expect(problemsOf(draft({ entities: two }), NONE).traffic).toContain('90 %');
});

test('What changes is shown line by line', () => {
  const changed = lineDiff('a\nb\nc', 'a\nx\nc');
  expect(changed).toContain('- b');
  expect(changed).toContain('+ x');
});

test('Throughput that may not scale to zero never goes below a chunk', () => {
  const bought = { ...newEntity(0, 100, 'main.default.m'), mode: 'provisioned' as const, maxThroughput: 300 };
  expect(leastOf(bought, 100)).toBe(100);
  expect(leastOf({ ...bought, minThroughput: 300 }, 100, 200)).toBe(200);
  expect(leastOf({ ...bought, scaleToZero: true }, 100)).toBe(0);
  expect(scaledToZero({ ...bought, minThroughput: 200 }, true, 100)).toEqual({ scaleToZero: true, minThroughput: 0 });
  expect(scaledToZero({ ...bought, scaleToZero: true }, false, 100)).toEqual({ scaleToZero: false, minThroughput: 100 });
});
