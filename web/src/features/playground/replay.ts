import { z } from 'zod';

import { emptyStats } from '@/features/playground/stream';
import { ALL_SAME, type AssistantMessage, type Column, type Message, type Params, type Sync } from '@/features/playground/types';

const part = z.union([z.string(), z.object({ text: z.string() }).transform((one) => one.text)]);
const content = z.union([z.string(), z.array(part).transform((parts) => parts.join('\n')), z.null().transform(() => '')]).default('');
const call = z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) });
const body = z.looseObject({
  messages: z.array(
    z.discriminatedUnion('role', [
      z.object({ role: z.literal('system'), content }),
      z.object({ role: z.literal('developer'), content }),
      z.object({ role: z.literal('user'), content }),
      z.object({ role: z.literal('assistant'), content, tool_calls: z.array(call).default([]) }),
      z.object({ role: z.literal('tool'), content, tool_call_id: z.string() }),
    ]),
  ),
});
const settings = {
  max_tokens: z.number(),
  temperature: z.number(),
  top_p: z.number(),
  top_k: z.number(),
  frequency_penalty: z.number(),
  presence_penalty: z.number(),
  seed: z.number(),
  n: z.number(),
  logprobs: z.literal(true),
  stop: z.union([z.array(z.string()), z.string().transform((one) => [one])]),
  reasoning_effort: z.string(),
};
const format = z.object({ type: z.enum(['json_object', 'json_schema']), json_schema: z.object({ schema: z.unknown() }).optional() });
const choice = z.union([z.string(), z.object({ function: z.object({ name: z.string() }) }).transform((one) => one.function.name)]);

export type Replay = { columns: readonly Column[]; sync: Sync; draft: string };

/** The playground as a chat request of the past has it, the last question ready to be sent. Throws an `Error` for what is no such request. */
export function fromRequest(endpoint: string, text: string): Replay {
  const found = body.safeParse(json(text));
  if (!found.success) throw new Error('This request is no chat that the playground can show.');
  const { messages } = found.data;
  const system = messages.flatMap((one) => (one.role === 'system' || one.role === 'developer' ? [one.content] : [])).join('\n\n');
  const turns: Message[] = [];
  for (const one of messages) {
    const id = crypto.randomUUID();
    if (one.role === 'user') turns.push({ id, role: 'user', text: one.content });
    else if (one.role === 'tool') turns.push({ id, role: 'tool', callId: one.tool_call_id, name: calledName(turns, one.tool_call_id), text: one.content });
    else if (one.role === 'assistant') turns.push(answered(id, one.content, one.tool_calls));
  }
  const last = turns.at(-1);
  const draft = last?.role === 'user' ? last.text : '';
  const column: Column = { id: crypto.randomUUID(), endpoint, system, params: paramsOf(found.data), messages: last?.role === 'user' ? turns.slice(0, -1) : turns, draft: '' };
  return { columns: [column], sync: ALL_SAME, draft };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function answered(id: string, text: string, calls: z.infer<typeof call>[]): AssistantMessage {
  const toolCalls = calls.map((one) => ({ id: one.id, ...one.function }));
  return { id, role: 'assistant', text, reasoning: '', toolCalls, others: [], tokens: [], status: 'done', stats: emptyStats(), failure: null, request: {}, events: [], eventCount: 0 };
}

const calledName = (turns: readonly Message[], callId: string): string =>
  turns.flatMap((one) => (one.role === 'assistant' ? one.toolCalls : [])).find((one) => one.id === callId)?.name ?? 'the function';

/** The settings that the playground has; others of the request are left out. */
function paramsOf(given: Record<string, unknown>): Params {
  const known = Object.entries(settings).flatMap(([name, kind]) => {
    const found = kind.safeParse(given[name]);
    return found.success ? [[name, found.data]] : [];
  });
  const asked = format.safeParse(given.response_format);
  const schema = asked.success ? asked.data.json_schema?.schema : undefined;
  const chosen = choice.safeParse(given.tool_choice);
  return {
    ...(Object.fromEntries(known) as Params),
    ...(asked.success ? { format: asked.data.type } : {}),
    ...(schema === undefined ? {} : { schema: JSON.stringify(schema, null, 2) }),
    ...(Array.isArray(given.tools) && given.tools.length > 0 ? { tools: JSON.stringify(given.tools, null, 2) } : {}),
    ...(chosen.success && chosen.data !== 'auto' ? { tool_choice: chosen.data } : {}),
  };
}
