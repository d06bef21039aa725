import { expect, test } from 'vitest';

import { type Draft, lineDiff, newEntity, problemsOf } from '@/features/endpoints/draft';

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
