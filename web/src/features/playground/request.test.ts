import { expect, test } from 'vitest';

import { askedSoFar, bodyOf, changedCount, tokensPerSecond } from '@/features/playground/request';
import { emptyStats } from '@/features/playground/stream';
import type { Message } from '@/features/playground/types';

const ASKED: Message[] = [{ id: '1', role: 'user', text: 'Hi' }];

test('Tools and results of their calls go along as the API wants them', () => {
  const calls = [{ id: 'c', name: 'f', arguments: '{}' }];
  const answer: Message = { id: '2', role: 'assistant', text: '', reasoning: '', toolCalls: calls, others: [], tokens: [], status: 'done', stats: emptyStats(), failure: null, request: {}, events: [], eventCount: 0 };
  const result: Message = { id: '3', role: 'tool', callId: 'c', name: 'f', text: '7' };
  const body = bodyOf({ system: '', params: { tools: '{"name": "f"}', tool_choice: 'f' } }, [...ASKED, answer, result, { ...answer, toolCalls: [] }]);
  expect(body).toMatchObject({ tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: { function: { name: 'f' } } });
  expect(body.messages).toEqual([
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
    { role: 'tool', tool_call_id: 'c', content: '7' },
  ]);
});

test('What a model is to answer ends with the last question or result, whatever was answered since', () => {
  const said = (id: string): Message => ({ id, role: 'assistant', text: 'A', reasoning: '', toolCalls: [], others: [], tokens: [], status: 'done', stats: emptyStats(), failure: null, request: {}, events: [], eventCount: 0 });
  const result: Message = { id: '3', role: 'tool', callId: 'c', name: 'f', text: '7' };
  expect(askedSoFar([...ASKED, said('2')])).toEqual(ASKED);
  expect(askedSoFar([...ASKED, said('2'), result, said('4')])).toHaveLength(3);
  expect(askedSoFar([said('2')])).toEqual([]);
});

test('What is left out is the server’s default: nothing is sent for it', () => {
  expect(bodyOf({ system: ' ', params: {} }, ASKED)).toEqual({ messages: [{ role: 'user', content: 'Hi' }] });
});

test('The system prompt comes first, and zero is a value', () => {
  const body = bodyOf({ system: 'Be short.', params: { temperature: 0, stop: ['.'] } }, ASKED);
  expect(body).toMatchObject({ messages: [{ role: 'system' }, { role: 'user' }], temperature: 0, stop: ['.'] });
});

test('A schema goes along as the response format; one that is no JSON is refused before anything is sent', () => {
  const params = { format: 'json_schema' as const, schema: '{"type": "array"}' };
  expect(bodyOf({ system: '', params }, ASKED).response_format).toMatchObject({ json_schema: { schema: { type: 'array' } } });
  expect(() => bodyOf({ system: '', params: { ...params, schema: '{' } }, ASKED)).toThrow('The JSON schema is not JSON');
});

test('The schema’s text alone changes nothing that is sent', () => expect(changedCount({ schema: '{}', top_k: 4 })).toBe(1));

test('Tokens a second are those after the first, over the time since it', () => {
  expect(tokensPerSecond({ ttftMs: 500, totalMs: 1500, completionTokens: 11 })).toBe(10);
  expect(tokensPerSecond({ ttftMs: 500, totalMs: 1500, completionTokens: 1 })).toBeNull();
  expect(tokensPerSecond({ ttftMs: null, totalMs: 1500, completionTokens: 11 })).toBeNull();
});
