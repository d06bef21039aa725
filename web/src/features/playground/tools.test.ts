import { expect, test } from 'vitest';

import { choiceOf, openCalls, readable, toolNames, toolsOf, withExample } from '@/features/playground/tools';
import { emptyStats } from '@/features/playground/stream';
import type { AssistantMessage } from '@/features/playground/types';

const CALL = { id: 'c1', name: 'f', arguments: '{"a":1}' };
const ANSWER: AssistantMessage = { id: 'a', role: 'assistant', text: '', reasoning: '', toolCalls: [CALL], others: [], tokens: [], status: 'done', stats: emptyStats(), failure: null, request: {}, events: [], eventCount: 0 };

test('one function or a list of them, wrapped as the API wants or bare', () => {
  const tool = { type: 'function', function: { name: 'f', parameters: {} } };
  expect(toolsOf('{"name": "f", "parameters": {}}')).toEqual([tool]);
  expect(toolsOf(JSON.stringify([tool, tool]))).toEqual([tool, tool]);
  expect(toolsOf(' ')).toEqual([]);
});

test.each([
  ['{', 'not JSON'],
  ['{"name": ""}', 'Tool 1 has no name'],
  ['[{"name": "f"}, 7]', 'Tool 2 has no name'],
])('what is no function (%s) is refused with what is wrong', (text, words) => {
  expect(() => toolsOf(text)).toThrow(words);
  expect(toolNames(text)).toEqual([]);
});

test('an example can be added to what is there, under a name of its own', () => {
  expect(toolNames(withExample(withExample('')))).toEqual(['get_weather', 'function_2']);
});

test('a choice is a word of the API, or a function', () => {
  expect([choiceOf('required'), choiceOf('f')]).toEqual(['required', { type: 'function', function: { name: 'f' } }]);
});

test('calls wait for results as long as nothing came after them', () => {
  expect(openCalls([ANSWER], ANSWER)).toEqual([CALL]);
  expect(openCalls([ANSWER, { id: 't', role: 'tool', callId: 'c1', name: 'f', text: '2' }], ANSWER)).toEqual([]);
  expect(openCalls([{ ...ANSWER, status: 'running' }], { ...ANSWER, status: 'running' })).toEqual([]);
});

test('arguments are shown as they are where they are no JSON', () => {
  expect([readable('{"a":1}'), readable('{"a":')]).toEqual(['{\n  "a": 1\n}', '{"a":']);
});
