import { z } from 'zod';

import { columnSettings, syncs } from '@/features/playground/share';
import { MOST_TOKENS } from '@/features/playground/stream';
import { type AssistantMessage, type Column, type Message, MOST_ANSWERS, MOST_COLUMNS, type Sync } from '@/features/playground/types';

const LONGEST = 20_000_000;
const count = z.number().nonnegative().nullable();
const token = z.object({ text: z.string(), logprob: z.number(), top: z.array(z.object({ text: z.string(), logprob: z.number() })).max(20) });
const user = z.object({ role: z.literal('user'), text: z.string() });
const tool = z.object({ role: z.literal('tool'), callId: z.string(), name: z.string(), text: z.string() });
const assistant = z.object({
  role: z.literal('assistant'),
  text: z.string(),
  reasoning: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })).max(128).default([]),
  others: z.array(z.string()).max(MOST_ANSWERS).default([]),
  tokens: z.array(token).max(MOST_TOKENS).default([]),
  status: z.enum(['running', 'done', 'stopped', 'failed']),
  stats: z.object({
    startedAt: z.number(),
    ttftMs: count,
    totalMs: z.number().nonnegative(),
    promptTokens: count,
    cachedTokens: z.number().nonnegative(),
    completionTokens: count,
    reasoningTokens: count,
    finishReason: z.string().nullable(),
    requestId: z.string().nullable(),
    servedBy: z.string().nullable(),
  }),
  failure: z.object({ message: z.string(), requestId: z.string().nullable() }).nullable(),
  request: z.record(z.string(), z.unknown()),
  events: z.array(z.object({ ms: z.number(), data: z.string() })).max(2_000),
  eventCount: z.number().nonnegative(),
});
const saved = z.object({
  columns: z
    .array(columnSettings.extend({ messages: z.array(z.discriminatedUnion('role', [user, assistant, tool])).max(1_000), draft: z.string() }))
    .min(1)
    .max(MOST_COLUMNS),
  sync: syncs,
  draft: z.string(),
});

export type Saved = { columns: readonly Column[]; sync: Sync; draft: string };

/** Conversations as a file: with settings, answers, times and raw events. */
export const toFile = (state: Saved): string => JSON.stringify(state, null, 2);

/** What such a file says; everything gets an id of its own. Throws an Error whose sentence says what is wrong with it. */
export function fromFile(text: string): Saved {
  if (text.length > LONGEST) throw new Error('The file is larger than 20 MB. Choose one that this page exported.');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON. Choose one that this page exported.');
  }
  return fromJson(json);
}

/** Likewise of what such a file holds. */
export function fromJson(json: unknown): Saved {
  const found = saved.safeParse(json);
  if (!found.success) {
    const [issue] = found.error.issues;
    throw new Error(`The file is not one that this page exported: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}.`);
  }
  const plain = JSON.parse(JSON.stringify(found.data)) as typeof found.data; // without keys that are undefined
  const columns = plain.columns.map((column) => ({ ...column, id: crypto.randomUUID(), messages: column.messages.map(message) }));
  return { columns, sync: plain.sync, draft: plain.draft };
}

function message(one: z.infer<typeof user> | z.infer<typeof assistant> | z.infer<typeof tool>): Message {
  const id = crypto.randomUUID();
  if (one.role !== 'assistant') return { ...one, id };
  return { ...one, id, status: one.status === 'running' ? 'stopped' : one.status } satisfies AssistantMessage;
}
