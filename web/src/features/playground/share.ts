import { z } from 'zod';

import { type Column, MOST_ANSWERS, MOST_COLUMNS, type Sync } from '@/features/playground/types';

const number = z.number().optional();
const params = z.object({
  max_tokens: number,
  temperature: number,
  top_p: number,
  top_k: number,
  frequency_penalty: number,
  presence_penalty: number,
  seed: number,
  stop: z.array(z.string()).max(16).optional(),
  n: z.number().int().min(1).max(MOST_ANSWERS).optional(),
  logprobs: z.literal(true).optional(),
  reasoning_effort: z.string().max(20).optional(),
  format: z.enum(['json_object', 'json_schema']).optional(),
  schema: z.string().max(20_000).optional(),
  tools: z.string().max(20_000).optional(),
  tool_choice: z.string().max(100).optional(),
});
/** What a column is set to, in whatever brings it here. */
export const columnSettings = z.object({ endpoint: z.string().max(63), system: z.string().max(20_000), params });
/** `settings` is how links and files once said `system` and `params`. */
export const syncs = z
  .object({ prompt: z.boolean(), system: z.boolean().optional(), params: z.boolean().optional(), settings: z.boolean().default(true) })
  .transform(({ prompt, settings, system = settings, params: same = settings }): Sync => ({ prompt, system, params: same }));

const shared = z.object({
  columns: z.array(columnSettings).min(1).max(MOST_COLUMNS),
  sync: syncs,
  draft: z.string().max(20_000),
});
export type Shared = { columns: Pick<Column, 'endpoint' | 'system' | 'params'>[]; sync: Sync; draft: string };

/** A comparison as text for a URL: endpoints, settings and the prompt that is being written, but no answers. */
export function toText(state: Shared): string {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

/** What a URL's text says; null for a text that nobody could have shared. */
export function fromText(text: string): Shared | null {
  try {
    const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const json = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(plain, (char) => char.charCodeAt(0)));
    return JSON.parse(JSON.stringify(shared.parse(JSON.parse(json)))) as Shared; // without keys that are undefined
  } catch {
    return null;
  }
}
