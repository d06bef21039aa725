import { Autocomplete, Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import { type Budget, setBudget } from '@/api/usage';
import { KIND_OF, PrincipalSelect } from '@/parts/principal-select';
import { bodyOf, type BudgetDraft, draftOf, draftProblems, NEW_BUDGET, SCOPES } from '@/features/usage/budget-rules';
import { ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

const PERIODS = [
  { value: 'month', label: 'Month' },
  { value: 'day', label: 'Day' },
];
const ACTIONS = [
  { value: 'stop', label: 'Refuse requests' },
  { value: 'alert', label: 'Alert only' },
];

/** Sets a new budget, or changes `budget`; stays open, with the reason, when the server refuses. */
export function BudgetDialog({ budget, onClose }: { budget: Budget | null; onClose: () => void }) {
  const client = useQueryClient();
  const [draft, setDraft] = useState<BudgetDraft>(budget ? draftOf(budget) : NEW_BUDGET);
  const [shows, show] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const problems = draftProblems(draft);
  const put = (change: Partial<BudgetDraft>): void => setDraft({ ...draft, ...change });
  const save = async (): Promise<void> => {
    show(true);
    if (Object.keys(problems).length > 0) return;
    setBusy(true);
    setError(null);
    try {
      await setBudget(draft.name.trim(), bodyOf(draft));
      await client.invalidateQueries({ queryKey: ['budgets'] });
      told('The budget is set.');
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  const text = (name: keyof BudgetDraft) => ({
    value: draft[name],
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => put({ [name]: event.currentTarget.value }),
    error: shows ? problems[name] : undefined,
    autoComplete: 'off',
  });
  return (
    <Modal opened onClose={onClose} title={budget ? `Change ${budget.name}` : 'Set a budget'} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Stack>
          <TextInput label="Name" {...text('name')} disabled={budget !== null} data-autofocus={budget === null} />
          <Group grow align="flex-start">
            <TextInput label="Amount" inputMode="decimal" {...text('amount')} />
            <TextInput label="Currency" {...text('currency')} />
            <Select label="Each" data={PERIODS} value={draft.period} onChange={(period) => put({ period: period ?? 'month' })} allowDeselect={false} />
          </Group>
          <Group grow align="flex-start">
            <Select label="For" data={Object.entries(SCOPES).map(([value, label]) => ({ value, label }))} value={draft.scope} onChange={(scope) => put({ scope: scope ?? 'all', target: '' })} allowDeselect={false} />
            <Target draft={draft} put={put} problem={shows ? problems.target : undefined} />
          </Group>
          <Select label="At the end of the money" data={ACTIONS} value={draft.action} onChange={(action) => put({ action: action ?? 'stop' })} allowDeselect={false} />
          <TextInput label="Alert at" description="Percentages, with commas between; each is told once a period." {...text('alerts')} />
          {error !== null && <ErrorPanel error={error} title="The budget was not set" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              {budget ? 'Change the budget' : 'Set the budget'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

type TargetProps = { draft: BudgetDraft; put: (change: Partial<BudgetDraft>) => void; problem: string | undefined };

/** Whom or what the budget binds, where it does not bind everybody. */
function Target({ draft: { scope, target }, put, problem }: TargetProps) {
  const endpoints = useQuery({ ...endpointsQuery, enabled: scope === 'endpoint' }).data ?? [];
  const kind = KIND_OF[scope];
  if (scope === 'all') return null;
  if (kind) return <PrincipalSelect kind={kind} value={target} onChange={(name) => put({ target: name })} error={problem} />;
  if (scope === 'endpoint')
    return <Autocomplete label="Name" data={endpoints.map((one) => one.name)} value={target} onChange={(name) => put({ target: name })} limit={50} error={problem} />;
  return <TextInput label="Tag" placeholder="team=search" value={target} onChange={(event) => put({ target: event.currentTarget.value })} error={problem} autoComplete="off" />;
}
