import { expect, test } from 'vitest';

import { fromRequest } from '@/features/playground/replay';
import { bodyOf } from '@/features/playground/request';

const CALL = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
const TOOL = { type: 'function', function: { name: 'f', parameters: {} } };
const BODY = {
  messages: [
    { role: 'system', content: 'Be short.' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: null, tool_calls: [CALL] },
    { role: 'tool', tool_call_id: 'c', content: '7' },
    { role: 'assistant', content: 'Seven.' },
    { role: 'user', content: 'Why?' },
  ],
  max_tokens: 9,
  temperature: 0,
  stop: ['.'],
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'array' } } },
  tools: [TOOL],
  tool_choice: { type: 'function', function: { name: 'f' } },
};

test('a request that is replayed is the same request again', () => {
  const { columns, draft } = fromRequest('e', JSON.stringify({ ...BODY, model: 'x', stream: true }));
  const [column] = columns;
  if (!column) throw new Error('There is no column.');
  expect(column).toMatchObject({ endpoint: 'e', system: 'Be short.' });
  expect(draft).toBe('Why?');
  expect(bodyOf(column, [...column.messages, { id: '', role: 'user', text: draft }])).toEqual(BODY);
});

test('content in parts is its text, and what is set to nothing is nothing', () => {
  const { draft, columns } = fromRequest('e', '{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "stop": "x", "top_p": null}');
  expect(draft).toBe('a\nb');
  expect(columns[0]?.params).toEqual({ stop: ['x'] });
});

test.each(['', '{', '{}', '{"prompt": "Hi"}', '{"messages": [{"role": "cat"}]}'])('what is no chat (%s) is said to be none', (text) => {
  expect(() => fromRequest('e', text)).toThrow('no chat');
});
