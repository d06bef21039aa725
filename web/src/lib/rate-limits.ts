import { count } from '@/lib/format';

/** A rate limit of an endpoint as the API has it. */
export type RateLimit = { calls?: number; tokens?: number; key: string; principal?: string; renewal_period: string };

/** The same while somebody writes it. */
export type LimitDraft = { key: string; principal: string; measure: 'calls' | 'tokens'; amount: number | string };

export const NEW_LIMIT: LimitDraft = { key: 'endpoint', principal: '', measure: 'calls', amount: 60 };

export const limitDraftOf = (limit: Record<string, unknown>): LimitDraft => ({
  key: typeof limit.key === 'string' ? limit.key : 'endpoint',
  principal: typeof limit.principal === 'string' ? limit.principal : '',
  measure: typeof limit.tokens === 'number' ? 'tokens' : 'calls',
  amount: Number(limit.tokens ?? limit.calls ?? 0),
});

export const limitOf = (draft: LimitDraft): RateLimit => ({
  key: draft.key,
  renewal_period: 'minute',
  [draft.measure]: Number(draft.amount),
  ...(draft.principal ? { principal: draft.principal } : {}),
});

type Rate = Record<string, unknown>;

/** A limit that an endpoint's owner set, in words. */
export function rateText(rate: Rate): string {
  const of = typeof rate.tokens === 'number' ? `${count(rate.tokens)} tokens` : `${count(Number(rate.calls ?? 0))} requests`;
  const who = typeof rate.principal === 'string' ? rate.principal : rate.key === 'user' ? 'each user' : 'all together';
  const period = typeof rate.renewal_period === 'string' ? rate.renewal_period : 'minute';
  return `${of} a ${period}, ${who}`;
}
