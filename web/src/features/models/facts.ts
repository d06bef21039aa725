import { bytes, count, short } from '@/lib/format';
import { taskName } from '@/lib/model';

type Facts = Record<string, unknown>;

const number = (facts: Facts, key: string, show: (value: number) => string): string | null => (typeof facts[key] === 'number' ? show(facts[key]) : null);
const text = (facts: Facts, key: string): string | null => (typeof facts[key] === 'string' && facts[key] !== '' ? facts[key] : null);

/** What the files of a version say, in people's words; what is not known is left out. */
export function shownFacts(facts: Facts): [string, string][] {
  const embedding = facts.embedding as { dimension?: number } | null | undefined;
  const rows: [string, string | null][] = [
    ['Task', text(facts, 'task') && taskName(String(facts.task))],
    ['Parameters', number(facts, 'parameters', short)],
    ['Size', number(facts, 'weight_bytes', bytes)],
    ['Context', number(facts, 'context_length', (value) => `${count(value)} tokens`)],
    ['Architecture', text(facts, 'architecture')],
    ['Licence', text(facts, 'license')],
    ['Format', text(facts, 'format')],
    ['Memory of a token', number(facts, 'kv_bytes_per_token', bytes)],
    ['Dimensions', embedding?.dimension === undefined ? null : count(embedding.dimension)],
    ['Tools', facts.has_function_calling === true ? 'Enabled' : null],
    ['Adapter of', text(facts, 'adapter_of')],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}
