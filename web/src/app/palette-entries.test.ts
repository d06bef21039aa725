import { expect, test } from 'vitest';

import { type Entry, fitting } from '@/app/palette-entries';

const entry = (label: string, kind = 'Page'): Entry => ({ key: label, label, kind, run: () => undefined });
const labels = (entries: readonly Entry[], typed: string): string[] => fitting(entries, typed).map((one) => one.label);

test('without words everything is offered in its order', () => {
  expect(labels([entry('Usage'), entry('Models')], ' ')).toEqual(['Usage', 'Models']);
});

test('the beginning of a word fits better than its middle', () => {
  expect(labels([entry('fast-chat', 'Endpoint'), entry('chat-prod', 'Endpoint'), entry('xchat', 'Endpoint')], 'chat')).toEqual(['chat-prod', 'fast-chat', 'xchat']);
});

test('every word has to be there, in whatever order', () => {
  expect(labels([entry('prod chat', 'Endpoint'), entry('prod embed', 'Endpoint')], 'chat prod')).toEqual(['prod chat']);
});

test('the kind can be typed too', () => {
  expect(labels([entry('chat', 'Endpoint'), entry('chat', 'Model')], 'chat model')).toHaveLength(1);
});
