import { expect, test } from 'vitest';

import { verdictOn } from '@/features/playground/verdict';

const schema = { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer' } }, required: ['name', 'age'] };
const format = { type: 'json_schema', json_schema: { name: 'answer', schema } };

test.each([
  ['{"name": "Ann", "age": 7}', true, 'as the schema has it.'],
  ['{"name": "no age"}', false, 'required property "age"'],
  ['{"name": "Ann", "age": "seven"}', false, 'at /age:'],
  ['{"name": "An', false, 'no whole JSON'],
])('An answer is held against the schema that was asked for: %s', (text, isGood, words) => {
  const verdict = verdictOn(text, format);
  expect(verdict.isGood).toBe(isGood);
  expect(verdict.words).toContain(words);
});

test('Without a schema any JSON is as it was asked for', () => expect(verdictOn('[1]', { type: 'json_object' })).toEqual({ isGood: true, words: 'The answer is JSON.' }));

test('A schema that nobody can read is said, and is no failure of the page', () => {
  const broken = { type: 'json_schema', json_schema: { name: 'answer', schema: { $ref: '#/nowhere' } } };
  expect(verdictOn('1', broken).words).toContain('the schema cannot be read');
});
