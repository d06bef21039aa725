import type { OperatorLimit } from '@/api/usage';
import { count } from '@/lib/format';

type Option = { value: string; label: string };

export const SCOPES: readonly Option[] = [
  { value: 'all', label: 'Everybody together' },
  { value: 'user', label: 'Each user, or one' },
  { value: 'service_principal', label: 'Each service principal, or one' },
  { value: 'user_group', label: 'A group' },
];
export const MEASURES: readonly Option[] = [
  { value: 'requests', label: 'Requests' },
  { value: 'tokens', label: 'Tokens' },
  { value: 'input_tokens', label: 'Input tokens' },
  { value: 'output_tokens', label: 'Output tokens' },
  { value: 'concurrency', label: 'Requests at once' },
];
export const labelOf = (options: readonly Option[], value: string): string => options.find((one) => one.value === value)?.label ?? value;

export type LimitDraft = { scope: string; principal: string; endpoint: string; measure: string; amount: number | ''; period: string };
export const EMPTY_LIMIT: LimitDraft = { scope: 'all', principal: '', endpoint: '', measure: 'requests', amount: 1000, period: 'minute' };

/** Whom a limit is for: without a name each of its kind has one of its own. */
export function whom({ scope, principal }: Pick<OperatorLimit, 'scope' | 'principal'>): string {
  if (scope === 'user_group') return `Group ${principal ?? ''}`;
  if (principal !== undefined) return principal;
  return { user: 'Each user', service_principal: 'Each service principal' }[scope] ?? 'Everybody together';
}

/** At most how much, in words. */
export const howMuch = ({ amount, period }: Pick<OperatorLimit, 'amount' | 'period'>): string => `${count(amount)}${period ? ` a ${period}` : ''}`;

export const isComplete = ({ scope, principal, amount }: LimitDraft): boolean => amount !== '' && amount >= 0 && (scope !== 'user_group' || principal !== '');

/** The draft as the server wants it: nobody's name for everybody, no period for what is counted at once. */
export const limitRequest = (draft: LimitDraft): Omit<OperatorLimit, 'id'> => ({
  scope: draft.scope,
  measure: draft.measure,
  amount: draft.amount === '' ? 0 : draft.amount,
  ...(draft.scope !== 'all' && draft.principal ? { principal: draft.principal } : {}),
  ...(draft.endpoint ? { endpoint: draft.endpoint } : {}),
  ...(draft.measure === 'concurrency' ? {} : { period: draft.period }),
});
