/** Tasks as people call them. */
export const TASKS: Record<string, string> = {
  'llm/v1/chat': 'Chat',
  'llm/v1/completions': 'Completions',
  'llm/v1/embeddings': 'Embeddings',
};
export const taskName = (task: string): string => TASKS[task] ?? task;

/** Where an endpoint is tried: in the playground's mode for its task. */
export const playgroundOf = ({ name, task }: { name: string; task: string }): { endpoint: string; mode?: string } =>
  task === 'llm/v1/chat' ? { endpoint: name } : { endpoint: name, mode: task.replace('llm/v1/', '') };

export type Priced = { endpoint?: string; entity_name?: string; effective_from: string };

const matches = (pattern: string, name: string): boolean =>
  new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`).test(name);

/**
 * The price that holds now: of the endpoint's own name before its model's, that before patterns, the longer first; of
 * several for one target the latest. As docs/how-to/prices.md says.
 */
export function priceFor<P extends Priced>(prices: readonly P[], endpoint: string, entity: string | null | undefined, nowMs: number): P | null {
  const inEffect = prices.filter((price) => Date.parse(price.effective_from) <= nowMs);
  const rank = (price: P): number => {
    if (price.endpoint === endpoint) return Number.MAX_SAFE_INTEGER;
    if (price.entity_name !== undefined && price.entity_name === entity) return Number.MAX_SAFE_INTEGER - 1;
    if (price.endpoint?.includes('*') && matches(price.endpoint, endpoint)) return price.endpoint.length;
    return -1;
  };
  const from = (price: P): number => Date.parse(price.effective_from);
  const fitting = inEffect.filter((price) => rank(price) >= 0);
  return fitting.sort((one, other) => rank(other) - rank(one) || from(other) - from(one))[0] ?? null;
}

/** What tokens cost, in the price's currency; amounts are for a million of them. Display only: the ledger has it exactly. */
export function costOf(
  price: { prompt?: string; cached?: string; completion?: string },
  tokens: { prompt: number; cached: number; completion: number },
): number {
  const per = (amount: string | undefined): number => Number(amount ?? '0') / 1e6;
  const cached = price.cached === undefined ? per(price.prompt) : per(price.cached);
  return (tokens.prompt - tokens.cached) * per(price.prompt) + tokens.cached * cached + tokens.completion * per(price.completion);
}

/** What an endpoint's name may be, as the server checks it. */
export const ENDPOINT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/;
