import { expect, test } from 'vitest';

import { tagChanges, tagsProblem } from '@/features/endpoint/tag-changes';

const BEFORE = [{ key: 'team', value: 'search' }, { key: 'pilot' }];

test('What stays as it is is not sent', () => expect(tagChanges(BEFORE, [{ key: 'team', value: 'search' }, { key: 'pilot', value: '' }])).toBeNull());

test('Changed tags are sent again, and those without a row go', () =>
  expect(tagChanges(BEFORE, [{ key: ' team ', value: 'ads' }, { key: '', value: '' }])).toEqual({ added: [{ key: 'team', value: 'ads' }], deleted: ['pilot'] }));

test('A key is there once, and no value is without one', () => {
  expect(tagsProblem([{ key: 'a', value: '1' }, { key: 'a ', value: '2' }])).toContain('two tags');
  expect(tagsProblem([{ key: '', value: '1' }])).toContain('key');
  expect(tagsProblem([{ key: 'a', value: '' }, { key: '', value: '' }])).toBeNull();
});
