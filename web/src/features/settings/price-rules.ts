import type { Price } from '@/api/usage';

export type Standing = 'now' | 'later' | 'before';

const targetOf = (price: Price): string => (price.endpoint === undefined ? `model ${price.entity_name ?? ''}` : `endpoint ${price.endpoint}`);
const fromOf = (price: Price): number => Date.parse(price.effective_from);

/** Which price of its target holds now, which will, and which did: the latest that began counts; of two at once, the one set last. */
export function standings(prices: readonly Price[], nowMs: number): Map<number, Standing> {
  const holds = new Map<string, Price>();
  for (const price of prices) {
    const other = holds.get(targetOf(price));
    const isLater = !other || fromOf(price) > fromOf(other) || (fromOf(price) === fromOf(other) && price.version > other.version);
    if (fromOf(price) <= nowMs && isLater) holds.set(targetOf(price), price);
  }
  const standing = (price: Price): Standing => (fromOf(price) > nowMs ? 'later' : holds.get(targetOf(price)) === price ? 'now' : 'before');
  return new Map(prices.map((price) => [price.version, standing(price)]));
}

export type PriceDraft = {
  kind: 'endpoint' | 'entity_name';
  target: string;
  currency: string;
  /** As the browser's field gives it, in local time; empty for now. */
  from: string;
  amounts: Record<'prompt' | 'cached' | 'completion' | 'model_unit_hour', string>;
};

export const EMPTY_PRICE: PriceDraft = { kind: 'endpoint', target: '', currency: 'USD', from: '', amounts: { prompt: '', cached: '', completion: '', model_unit_hour: '' } };

const AMOUNT = /^\d{1,6}([.,]\d{1,6})?$/;

/** What is wrong with an amount, as a sentence; null for a good one and for none. */
export const amountError = (text: string): string | null =>
  text === '' || AMOUNT.test(text.trim()) ? null : 'A number with at most six decimals, as in 0.25.';

/** Whether it can be sent: a target, a currency, and at least one amount. */
export function isComplete({ target, currency, amounts }: PriceDraft): boolean {
  const given = Object.values(amounts).filter((text) => text !== '');
  return target.trim() !== '' && /^[A-Z]{3}$/.test(currency) && given.length > 0 && given.every((text) => amountError(text) === null);
}

/** The draft as the server wants it. */
export function priceRequest({ kind, target, currency, from, amounts }: PriceDraft): Partial<Price> {
  const given = Object.entries(amounts).filter(([, text]) => text !== '');
  return {
    [kind]: target.trim(),
    currency,
    ...Object.fromEntries(given.map(([unit, text]) => [unit, text.trim().replace(',', '.')])),
    ...(from ? { effective_from: new Date(from).toISOString() } : {}),
  };
}
