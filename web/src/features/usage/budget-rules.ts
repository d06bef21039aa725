import type { Budget, BudgetBody } from '@/api/usage';

/** What a form holds while somebody writes; `alerts` are percentages with commas between. */
export type BudgetDraft = { name: string; amount: string; currency: string; period: string; scope: string; target: string; action: string; alerts: string };

export const NEW_BUDGET: BudgetDraft = { name: '', amount: '', currency: 'USD', period: 'month', scope: 'all', target: '', action: 'stop', alerts: '80, 100' };

export const draftOf = (budget: Budget): BudgetDraft => ({
  name: budget.name,
  amount: budget.amount,
  currency: budget.currency,
  period: budget.period,
  scope: budget.scope,
  target: budget.target ?? '',
  action: budget.action,
  alerts: (budget.alerts ?? []).join(', '),
});

const percents = (text: string): string[] => text.split(/[\s,;%]+/).filter((one) => one !== '');

/** What keeps it from being set, by field; the server judges the rest. */
export function draftProblems(draft: BudgetDraft): Partial<Record<keyof BudgetDraft, string>> {
  const found: Partial<Record<keyof BudgetDraft, string>> = {};
  if (draft.name.trim() === '') found.name = 'Give it a name.';
  if (!/^\d+(\.\d+)?$/.test(draft.amount.trim())) found.amount = 'Write a number, such as 500 or 12.50.';
  if (draft.scope !== 'all' && draft.target.trim() === '') found.target = 'Say for which.';
  if (draft.scope === 'tag' && !/^[^=]+=./.test(draft.target)) found.target = 'Write it as key=value.';
  if (percents(draft.alerts).some((one) => !/^\d+$/.test(one) || Number(one) < 1)) found.alerts = 'Write whole percentages, such as 80, 100, with commas between.';
  return found;
}

export const bodyOf = (draft: BudgetDraft): BudgetBody => ({
  amount: draft.amount.trim(),
  currency: draft.currency.trim(),
  period: draft.period,
  action: draft.action,
  scope: draft.scope,
  ...(draft.scope === 'all' ? {} : { target: draft.target.trim() }),
  alerts: percents(draft.alerts).map(Number),
});

export const SCOPES: Record<string, string> = { all: 'Everybody', user: 'A user', user_group: 'A group', service_principal: 'A service principal', endpoint: 'An endpoint', tag: 'A tag' };

/** Whom it binds, in words. */
export function boundBy(budget: Pick<Budget, 'scope' | 'target'>): string {
  if (budget.target === undefined) return 'Everybody';
  return `${(SCOPES[budget.scope] ?? budget.scope).replace(/^An? (.)/, (_, first: string) => first.toUpperCase())} ${budget.target}`;
}
