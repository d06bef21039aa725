import { choiceOf, toolsOf } from '@/features/playground/tools';
import type { Column, Message, Params } from '@/features/playground/types';

const NUMBERS = ['max_tokens', 'temperature', 'top_p', 'top_k', 'frequency_penalty', 'presence_penalty', 'seed', 'n'] as const;

/** How many tokens are asked for that could have been in the place of each. */
const ALTERNATIVES = 5;

/** The body that a column sends for a conversation, but for `model`. Throws an `Error` for a schema or tools that are no JSON. */
export function bodyOf(column: Pick<Column, 'system' | 'params'>, messages: readonly Message[]): Record<string, unknown> {
  const { params } = column;
  const told = messages.flatMap(sent);
  const body: Record<string, unknown> = {
    messages: column.system.trim() ? [{ role: 'system', content: column.system }, ...told] : told,
  };
  for (const name of NUMBERS) if (params[name] !== undefined) body[name] = params[name];
  if (params.stop?.length) body.stop = params.stop;
  if (params.logprobs) Object.assign(body, { logprobs: true, top_logprobs: ALTERNATIVES });
  if (params.reasoning_effort) body.reasoning_effort = params.reasoning_effort;
  const format = formatOf(params);
  if (format) body.response_format = format;
  const tools = toolsOf(params.tools ?? '');
  if (tools.length) body.tools = tools;
  if (tools.length && params.tool_choice) body.tool_choice = choiceOf(params.tool_choice);
  return body;
}

/** A message as the API takes it; an answer without text or calls is nothing. */
function sent(message: Message): Record<string, unknown>[] {
  if (message.role === 'user') return [{ role: 'user', content: message.text }];
  if (message.role === 'tool') return [{ role: 'tool', tool_call_id: message.callId, content: message.text }];
  if (message.toolCalls.length === 0) return message.text === '' ? [] : [{ role: 'assistant', content: message.text }];
  const calls = message.toolCalls.map(({ id, name, arguments: given }) => ({ id, type: 'function', function: { name, arguments: given } }));
  return [{ role: 'assistant', content: message.text || null, tool_calls: calls }];
}

function formatOf(params: Params): Record<string, unknown> | null {
  if (params.format === 'json_object') return { type: 'json_object' };
  if (params.format !== 'json_schema') return null;
  return { type: 'json_schema', json_schema: { name: 'answer', schema: schemaOf(params.schema?.trim() || '{"type": "object"}') } };
}

function schemaOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The JSON schema is not JSON: ${error instanceof Error ? error.message : ''}`, { cause: error });
  }
}

/** How many of the parameters differ from the server's defaults. */
export const changedCount = (params: Params): number => Object.entries(params as Record<string, unknown>).filter(([name, value]) => name !== 'schema' && name !== 'tool_choice' && value !== undefined).length;

/** Tokens per second of the answer itself: from its first token on. */
export function tokensPerSecond(stats: { ttftMs: number | null; totalMs: number; completionTokens: number | null }): number | null {
  const { ttftMs, totalMs, completionTokens } = stats;
  if (ttftMs === null || completionTokens === null || completionTokens < 2 || totalMs <= ttftMs) return null;
  return ((completionTokens - 1) * 1000) / (totalMs - ttftMs);
}

/** A conversation up to what a model is to answer next: the last question, or the last result of a function. */
export function askedSoFar(messages: readonly Message[]): readonly Message[] {
  return messages.slice(0, messages.findLastIndex((one) => one.role !== 'assistant') + 1);
}
