import type { Column, Message, Params } from '@/features/playground/types';

const NUMBERS = ['max_tokens', 'temperature', 'top_p', 'top_k', 'frequency_penalty', 'presence_penalty', 'seed'] as const;

/** The body that a column sends for a conversation, but for `model`. Throws a `SyntaxError` for a schema that is no JSON. */
export function bodyOf(column: Pick<Column, 'system' | 'params'>, messages: readonly Message[]): Record<string, unknown> {
  const { params } = column;
  const told = messages
    .filter((one) => one.role === 'user' || one.text !== '')
    .map((one) => ({ role: one.role, content: one.text }));
  const body: Record<string, unknown> = {
    messages: column.system.trim() ? [{ role: 'system', content: column.system }, ...told] : told,
  };
  for (const name of NUMBERS) if (params[name] !== undefined) body[name] = params[name];
  if (params.stop?.length) body.stop = params.stop;
  if (params.reasoning_effort) body.reasoning_effort = params.reasoning_effort;
  const format = formatOf(params);
  if (format) body.response_format = format;
  return body;
}

function formatOf(params: Params): Record<string, unknown> | null {
  if (params.format === 'json_object') return { type: 'json_object' };
  if (params.format !== 'json_schema') return null;
  const schema = JSON.parse(params.schema?.trim() || '{"type": "object"}') as unknown;
  return { type: 'json_schema', json_schema: { name: 'answer', schema } };
}

/** Whether an answer that was to be JSON is. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** How many of the parameters differ from the server's defaults. */
export const changedCount = (params: Params): number => Object.entries(params as Record<string, unknown>).filter(([name, value]) => name !== 'schema' && value !== undefined).length;

/** Tokens per second of the answer itself: from its first token on. */
export function tokensPerSecond(stats: { ttftMs: number | null; totalMs: number; completionTokens: number | null }): number | null {
  const { ttftMs, totalMs, completionTokens } = stats;
  if (ttftMs === null || completionTokens === null || completionTokens < 2 || totalMs <= ttftMs) return null;
  return ((completionTokens - 1) * 1000) / (totalMs - ttftMs);
}
