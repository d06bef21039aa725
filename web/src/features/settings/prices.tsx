import { Badge, Group, SegmentedControl, Stack } from '@mantine/core';
import { IconCircleCheck, IconClock, IconHistory, type TablerIcon } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { type Price, pricesQuery } from '@/api/usage';
import { PriceDialog } from '@/features/settings/price-dialog';
import { type Standing, standings } from '@/features/settings/price-rules';
import { Section } from '@/features/settings/section';
import { dateTime, money } from '@/lib/format';
import { Empty, Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';
import { useNow } from '@/ui/time';

const STANDINGS: Record<Standing, { words: string; color: string; icon: TablerIcon }> = {
  now: { words: 'In effect', color: 'teal', icon: IconCircleCheck },
  later: { words: 'Begins later', color: 'blue', icon: IconClock },
  before: { words: 'Replaced', color: 'gray', icon: IconHistory },
};
const amountOf = (amount: string | undefined, currency: string): string => (amount === undefined ? '–' : money(amount, currency));
const targetOf = (one: Price): string => one.endpoint ?? one.entity_name ?? '';

const columns: Column<Price>[] = [
  { key: 'for', title: 'For', sort: targetOf, cell: (one) => <div className="breaks name-cell">{`${one.endpoint === undefined ? 'Model' : 'Endpoint'} ${targetOf(one)}`}</div> },
  { key: 'prompt', title: 'Input', isNumber: true, cell: (one) => amountOf(one.prompt, one.currency) },
  { key: 'cached', title: 'Cached input', isNumber: true, cell: (one) => amountOf(one.cached, one.currency) },
  { key: 'completion', title: 'Output', isNumber: true, cell: (one) => amountOf(one.completion, one.currency) },
  { key: 'unit', title: 'Model unit, hour', isNumber: true, cell: (one) => amountOf(one.model_unit_hour, one.currency) },
  { key: 'from', title: 'From', sort: (one) => Date.parse(one.effective_from), cell: (one) => <span className="number">{dateTime(Date.parse(one.effective_from))}</span> },
  { key: 'by', title: 'Set by', cell: (one) => one.created_by },
];

export function Prices() {
  const query = useQuery(pricesQuery);
  const [adds, setAdds] = useState(false);
  return (
    <Section
      words="Tokens are priced by the million, model units by the hour. A price for an endpoint comes before one for its model, and that before a pattern such as chat-*. What was charged before stays as it was."
      action="Set a price"
      onAction={() => setAdds(true)}
    >
      <Loaded query={query}>{(found) => (found.length === 0 ? <Empty title="No prices yet">Until you set one everything costs nothing; tokens are counted all the same.</Empty> : <PriceTable prices={found} />)}</Loaded>
      {adds && <PriceDialog onClose={() => setAdds(false)} />}
    </Section>
  );
}

function PriceTable({ prices }: { prices: readonly Price[] }) {
  const now = useNow(30_000);
  const [which, setWhich] = useState('current');
  const stands = standings(prices, now);
  const standing = (one: Price): Standing => stands.get(one.version) ?? 'before';
  const shown = prices.filter((one) => which === 'all' || standing(one) !== 'before');
  const state: Column<Price> = { key: 'state', title: 'State', sort: standing, cell: (one) => <State of={standing(one)} /> };
  return (
    <Stack gap="sm">
      <Group>
        <SegmentedControl
          data={[
            { value: 'current', label: 'Now and later' },
            { value: 'all', label: 'All ever set' },
          ]}
          value={which}
          onChange={setWhich}
          aria-label="Which prices"
        />
      </Group>
      <DataTable label="Prices" columns={[...columns.slice(0, 1), state, ...columns.slice(1)]} rows={shown} rowKey={(one) => String(one.version)} initialSort={{ key: 'from', descending: true }} />
    </Stack>
  );
}

function State({ of }: { of: Standing }) {
  const { words, color, icon: Icon } = STANDINGS[of];
  return (
    <Badge color={color} variant="light" className="badge" leftSection={<Icon size={13} aria-hidden />}>
      {words}
    </Badge>
  );
}
