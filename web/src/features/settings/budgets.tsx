import { Button, Select, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { type Budget, budgetsQuery, deleteBudget, setBudget } from '@/api/usage';
import { Section } from '@/features/settings/section';
import { money } from '@/lib/format';
import { Confirm } from '@/ui/confirm';
import { Empty, Loaded } from '@/ui/feedback';
import { FormDialog } from '@/ui/form-dialog';
import { type Column, DataTable } from '@/ui/table';

export function Budgets() {
  const query = useQuery(budgetsQuery);
  const client = useQueryClient();
  const [adds, setAdds] = useState(false);
  const [asked, ask] = useState<Budget | null>(null);
  const columns: Column<Budget>[] = [
    { key: 'name', title: 'Name', sort: (one) => one.name, cell: (one) => one.name },
    { key: 'amount', title: 'Amount', isNumber: true, cell: (one) => `${money(one.amount, one.currency)} a ${one.period}` },
    { key: 'spent', title: 'Spent', isNumber: true, cell: (one) => money(one.spent, one.currency) },
    { key: 'action', title: 'At the end', cell: (one) => (one.action === 'stop' ? 'Requests are refused' : 'Alert only') },
    {
      key: 'remove',
      title: 'Actions',
      cell: (one) => (
        <Button size="xs" variant="subtle" color="red" onClick={() => ask(one)} aria-label={`Remove ${one.name}`}>
          Remove
        </Button>
      ),
    },
  ];
  return (
    <Section words="How much money may be spent in a day or a month." action="Set a budget" onAction={() => setAdds(true)}>
      <Loaded query={query}>{(found) => (found.length === 0 ? <Empty title="No budgets yet">Set one to stop, or be told, when a month gets dear.</Empty> : <DataTable label="Budgets" columns={columns} rows={found} rowKey={(one) => one.name} />)}</Loaded>
      {adds && <BudgetDialog onClose={() => setAdds(false)} />}
      {asked && (
        <Confirm title="Remove this budget?" action="Remove" onClose={() => ask(null)} run={() => deleteBudget(asked.name).then(() => client.invalidateQueries({ queryKey: ['budgets'] }))}>
          Nothing stops at its amount any more.
        </Confirm>
      )}
    </Section>
  );
}

function BudgetDialog({ onClose }: { onClose: () => void }) {
  const [budget, setDraft] = useState({ name: '', amount: '', currency: 'USD', period: 'month', action: 'stop' });
  const put = (change: Partial<typeof budget>): void => setDraft({ ...budget, ...change });
  const { name, ...body } = budget;
  return (
    <FormDialog title="Set a budget" action="Set the budget" queryKey="budgets" onClose={onClose} submit={() => setBudget(name, body)}>
      <TextInput label="Name" value={name} onChange={(event) => put({ name: event.currentTarget.value })} required withAsterisk={false} />
      <TextInput label="Amount" inputMode="decimal" value={budget.amount} onChange={(event) => put({ amount: event.currentTarget.value })} required withAsterisk={false} />
      <TextInput label="Currency" value={budget.currency} onChange={(event) => put({ currency: event.currentTarget.value })} />
      <Select label="Each" data={['day', 'month']} value={budget.period} onChange={(period) => put({ period: period ?? 'month' })} allowDeselect={false} />
      <Select label="At the end" data={[{ value: 'stop', label: 'Refuse requests' }, { value: 'alert', label: 'Alert only' }]} value={budget.action} onChange={(action) => put({ action: action ?? 'stop' })} allowDeselect={false} />
    </FormDialog>
  );
}
