import { type Schema, Validator } from '@cfworker/json-schema';
import { z } from 'zod';

const asked = z.object({ type: z.literal('json_schema'), json_schema: z.object({ schema: z.union([z.boolean(), z.record(z.string(), z.unknown())]) }) });

export type Verdict = { isGood: boolean; words: string };

/** What is to be said of an answer that was to be JSON; `format` is the request's `response_format`. */
export function verdictOn(text: string, format: unknown): Verdict {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return { isGood: false, words: 'The answer is no whole JSON: give it more tokens, or a simpler schema.' };
  }
  const found = asked.safeParse(format);
  return found.success ? bySchema(answer, found.data.json_schema.schema) : { isGood: true, words: 'The answer is JSON.' };
}

function bySchema(answer: unknown, schema: Schema | boolean): Verdict {
  try {
    const { valid, errors } = new Validator(schema, '2020-12').validate(answer);
    if (valid) return { isGood: true, words: 'The answer is JSON as the schema has it.' };
    const inmost = errors.at(-1); // those before it are about what it is in
    const place = inmost?.instanceLocation.slice(1) ?? '';
    return { isGood: false, words: `The answer is JSON, but not as the schema has it${place && `, at ${place}`}: ${inmost?.error ?? ''}` };
  } catch (error) {
    return { isGood: false, words: `The answer is JSON, but the schema cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}
