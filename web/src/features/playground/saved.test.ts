import { expect, test } from 'vitest';

import { fromFile, toFile } from '@/features/playground/saved';
import { Playground } from '@/features/playground/store';
import { emptyStats } from '@/features/playground/stream';
import type { Column } from '@/features/playground/types';

const answer = { id: 'b', role: 'assistant' as const, text: 'Hello', reasoning: '', toolCalls: [], others: [], tokens: [], status: 'running' as const, stats: emptyStats(), failure: null, request: { model: 'a' }, events: [{ ms: 1, data: '{}' }], eventCount: 1 };
const column: Column = { id: 'c', endpoint: 'a', system: 'Be brief', params: { temperature: 0 }, messages: [{ id: 'a', role: 'user', text: 'Hi' }, answer], draft: 'next' };
const SAVED = { columns: [column], sync: { prompt: false, system: true, params: true }, draft: '' };

test('A saved conversation comes back, under new ids, and nothing in it runs', () => {
  const found = fromFile(toFile(SAVED));
  const [back] = found.columns;
  expect(back).toMatchObject({ endpoint: 'a', system: 'Be brief', params: { temperature: 0 }, draft: 'next' });
  expect(back?.messages).toMatchObject([{ text: 'Hi' }, { text: 'Hello', status: 'stopped', events: [{ ms: 1, data: '{}' }] }]);
  for (const { id } of [back, ...(back?.messages ?? [])].filter((one) => one !== undefined)) expect(['a', 'b', 'c']).not.toContain(id);
});

test('The playground goes on from a saved conversation', () => {
  const playground = new Playground();
  playground.restore(fromFile(toFile(SAVED)));
  expect(playground.snapshot().columns[0]?.messages).toHaveLength(2);
  expect(playground.snapshot().sync.prompt).toBe(false);
});

test.each([
  ['', 'not JSON'],
  ['{', 'not JSON'],
  ['{}', 'columns'],
  [toFile({ ...SAVED, columns: [] }), 'columns'],
  [toFile({ ...SAVED, columns: Array.from({ length: 5 }, () => column) }), 'columns'],
  [toFile(SAVED).replace('"assistant"', '"system"'), 'columns.0.messages.1.role'],
  [toFile(SAVED).replace('"Hello"', '7'), 'columns.0.messages.1.text'],
])('A file that this page did not write is refused with what is wrong (%#)', (text, words) => {
  expect(() => fromFile(text)).toThrow(words);
});
