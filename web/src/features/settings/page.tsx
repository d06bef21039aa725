import { Button, Group, Modal, NumberInput, Select, Stack, Tabs, Text, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';

import { platformQuery } from '@/api/endpoints';
import { type Budget, budgetsQuery, deleteBudget, deleteLimit, limitsQuery, type OperatorLimit, type Price, pricesQuery, setBudget, setLimit, setPrice } from '@/api/usage';
import { bytes, count, dateTime, money } from '@/lib/format';
import { Confirm } from '@/ui/confirm';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';
import { type Column, DataTable } from '@/ui/table';

export function SettingsPage() {
  return (
    <Page title="Settings">
      <Tabs defaultValue="prices" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="prices">Prices</Tabs.Tab>
          <Tabs.Tab value="limits">Limits</Tabs.Tab>
          <Tabs.Tab value="budgets">Budgets</Tabs.Tab>
          <Tabs.Tab value="platform">Platform</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="prices">
          <Prices />
        </Tabs.Panel>
        <Tabs.Panel value="limits">
          <Limits />
        </Tabs.Panel>
        <Tabs.Panel value="budgets">
          <Budgets />
        </Tabs.Panel>
        <Tabs.Panel value="platform">
          <Platform />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Section({ words, action, onAction, children }: { words: string; action: string; onAction: () => void; children: ReactNode }) {
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed" style={{ flex: '1 1 260px' }}>
          {words}
        </Text>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={onAction}>
          {action}
        </Button>
      </Group>
      {children}
    </Stack>
  );
}

type FormProps = { title: string; action: string; submit: () => Promise<unknown>; queryKey: string; onClose: () => void; children: ReactNode };

function FormDialog({ title, action, submit, queryKey, onClose, children }: FormProps) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const run = async (): Promise<void> => {
    setError(null);
    try {
      await submit();
      await client.invalidateQueries({ queryKey: [queryKey] });
      told('Saved.');
      onClose();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal opened onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Stack>
          {children}
          {error !== null && <ErrorPanel error={error} title="Nothing was saved" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit">{action}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

const amountOf = (amount: string | undefined, currency: string): string => (amount === undefined ? '–' : money(amount, currency));
const prices: Column<Price>[] = [
  { key: 'for', title: 'For', sort: (one) => one.endpoint ?? one.entity_name ?? '', cell: (one) => (one.endpoint ? `Endpoint ${one.endpoint}` : `Model ${one.entity_name ?? ''}`) },
  { key: 'prompt', title: 'Input', isNumber: true, cell: (one) => amountOf(one.prompt, one.currency) },
  { key: 'cached', title: 'Cached input', isNumber: true, cell: (one) => amountOf(one.cached, one.currency) },
  { key: 'completion', title: 'Output', isNumber: true, cell: (one) => amountOf(one.completion, one.currency) },
  { key: 'unit', title: 'Model unit, hour', isNumber: true, cell: (one) => amountOf(one.model_unit_hour, one.currency) },
  { key: 'from', title: 'From', sort: (one) => Date.parse(one.effective_from), cell: (one) => dateTime(Date.parse(one.effective_from)) },
  { key: 'by', title: 'Set by', cell: (one) => one.created_by },
];

function Prices() {
  const query = useQuery(pricesQuery);
  const [adds, setAdds] = useState(false);
  return (
    <Section words="What a million tokens cost. The latest price of a target holds; what was charged before stays as it was." action="Set a price" onAction={() => setAdds(true)}>
      <Loaded query={query}>
        {(found) => (found.length === 0 ? <Empty title="No prices yet">Until you set one everything costs nothing; tokens are counted all the same.</Empty> : <DataTable label="Prices" columns={prices} rows={found} rowKey={(one) => String(one.version)} initialSort={{ key: 'from', descending: true }} />)}
      </Loaded>
      {adds && <PriceDialog onClose={() => setAdds(false)} />}
    </Section>
  );
}

function PriceDialog({ onClose }: { onClose: () => void }) {
  const [kind, setKind] = useState<'endpoint' | 'entity_name'>('endpoint');
  const [target, setTarget] = useState('');
  const [currency, setCurrency] = useState('USD');
  const [amounts, setAmounts] = useState({ prompt: '', cached: '', completion: '', model_unit_hour: '' });
  const given = Object.fromEntries(Object.entries(amounts).filter(([, text]) => text !== ''));
  const labels = { prompt: 'Input, per million tokens', cached: 'Cached input, per million tokens', completion: 'Output, per million tokens', model_unit_hour: 'A model unit, per hour' };
  return (
    <FormDialog title="Set a price" action="Set the price" queryKey="prices" onClose={onClose} submit={() => setPrice({ [kind]: target, currency, ...given })}>
      <Select label="For" data={[{ value: 'endpoint', label: 'An endpoint, or several by a pattern' }, { value: 'entity_name', label: 'A model' }]} value={kind} onChange={(value) => setKind(value === 'entity_name' ? 'entity_name' : 'endpoint')} allowDeselect={false} />
      <TextInput label="Name" placeholder={kind === 'endpoint' ? 'chat-*' : 'main.default.model'} value={target} onChange={(event) => setTarget(event.currentTarget.value)} required withAsterisk={false} />
      <TextInput label="Currency" description="Three capital letters" value={currency} onChange={(event) => setCurrency(event.currentTarget.value)} />
      {Object.entries(labels).map(([key, label]) => (
        <TextInput key={key} label={label} inputMode="decimal" value={amounts[key as keyof typeof amounts]} onChange={(event) => setAmounts({ ...amounts, [key]: event.currentTarget.value })} />
      ))}
    </FormDialog>
  );
}

const SCOPES = [
  { value: 'all', label: 'Everybody together' },
  { value: 'user', label: 'Each user, or one' },
  { value: 'service_principal', label: 'Each service principal, or one' },
  { value: 'user_group', label: 'A group' },
];
const MEASURES = [
  { value: 'requests', label: 'Requests' },
  { value: 'tokens', label: 'Tokens' },
  { value: 'input_tokens', label: 'Input tokens' },
  { value: 'output_tokens', label: 'Output tokens' },
  { value: 'concurrency', label: 'Requests at once' },
];
const labelOf = (options: readonly { value: string; label: string }[], value: string): string => options.find((one) => one.value === value)?.label ?? value;

function Limits() {
  const query = useQuery(limitsQuery);
  const client = useQueryClient();
  const [adds, setAdds] = useState(false);
  const [asked, ask] = useState<OperatorLimit | null>(null);
  const columns: Column<OperatorLimit>[] = [
    { key: 'for', title: 'For', cell: (one) => one.principal ?? labelOf(SCOPES, one.scope) },
    { key: 'endpoint', title: 'Endpoint', cell: (one) => one.endpoint ?? 'All' },
    { key: 'measure', title: 'Of', cell: (one) => labelOf(MEASURES, one.measure) },
    { key: 'amount', title: 'At most', isNumber: true, sort: (one) => one.amount, cell: (one) => `${count(one.amount)}${one.period ? ` a ${one.period}` : ''}` },
    {
      key: 'remove',
      title: 'Actions',
      cell: (one) => (
        <Button size="xs" variant="subtle" color="red" onClick={() => ask(one)} aria-label={`Remove the limit of ${count(one.amount)} ${labelOf(MEASURES, one.measure)}`}>
          Remove
        </Button>
      ),
    },
  ];
  return (
    <Section words="Limits over all endpoints or one, beside those that owners set on their endpoints. The tightest one counts." action="Set a limit" onAction={() => setAdds(true)}>
      <Loaded query={query}>
        {({ limits }) => (limits.length === 0 ? <Empty title="No limits yet">Callers may use as much as the hardware gives.</Empty> : <DataTable label="Limits" columns={columns} rows={limits} rowKey={(one) => one.id} />)}
      </Loaded>
      {adds && <LimitDialog onClose={() => setAdds(false)} />}
      {asked && (
        <Confirm title="Remove this limit?" action="Remove" onClose={() => ask(null)} run={() => deleteLimit(asked.id).then(() => client.invalidateQueries({ queryKey: ['limits'] }))}>
          It stops counting at once.
        </Confirm>
      )}
    </Section>
  );
}

function LimitDialog({ onClose }: { onClose: () => void }) {
  const [limit, setLimitDraft] = useState({ scope: 'all', principal: '', endpoint: '', measure: 'requests', amount: 1000, period: 'minute' });
  const put = (change: Partial<typeof limit>): void => setLimitDraft({ ...limit, ...change });
  const body = {
    scope: limit.scope,
    measure: limit.measure,
    amount: limit.amount,
    ...(limit.principal ? { principal: limit.principal } : {}),
    ...(limit.endpoint ? { endpoint: limit.endpoint } : {}),
    ...(limit.measure === 'concurrency' ? {} : { period: limit.period }),
  };
  return (
    <FormDialog title="Set a limit" action="Set the limit" queryKey="limits" onClose={onClose} submit={() => setLimit(body)}>
      <Select label="For" data={SCOPES} value={limit.scope} onChange={(scope) => put({ scope: scope ?? 'all' })} allowDeselect={false} />
      {limit.scope !== 'all' && <TextInput label="Name" description="Empty: each one has this limit" value={limit.principal} onChange={(event) => put({ principal: event.currentTarget.value })} />}
      <TextInput label="Endpoint" placeholder="All" value={limit.endpoint} onChange={(event) => put({ endpoint: event.currentTarget.value })} />
      <Select label="Of" data={MEASURES} value={limit.measure} onChange={(measure) => put({ measure: measure ?? 'requests' })} allowDeselect={false} />
      <NumberInput label="At most" min={0} value={limit.amount} onChange={(amount) => put({ amount: Number(amount) })} thousandSeparator="," />
      {limit.measure !== 'concurrency' && <Select label="In a" data={['second', 'minute', 'hour', 'day']} value={limit.period} onChange={(period) => put({ period: period ?? 'minute' })} allowDeselect={false} />}
    </FormDialog>
  );
}

function Budgets() {
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

type PlatformLimit = { name: string; value: number; unit: string; setting: string | null };
const bounds: Column<PlatformLimit>[] = [
  { key: 'name', title: 'Bound', sort: (one) => one.name, cell: (one) => one.name },
  { key: 'value', title: 'Value', isNumber: true, cell: (one) => (one.unit === 'bytes' ? bytes(one.value) : `${count(one.value)} ${one.unit}`) },
  { key: 'setting', title: 'Setting', cell: (one) => one.setting ?? 'Fixed' },
];

function Platform() {
  const query = useQuery(platformQuery);
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        Bounds that hold for everybody. Those with a setting are changed in openfm.toml or by a flag of openfm serve.
      </Text>
      <Loaded query={query}>{(found) => <DataTable label="Platform" columns={bounds} rows={found.limits} rowKey={(one) => one.name} />}</Loaded>
    </Stack>
  );
}
