import { Button, Group, Select, Stack, Switch, TextInput } from '@mantine/core';
import { IconPlus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import { type Endpoint, endpointsQuery } from '@/api/endpoints';
import { pricesQuery } from '@/api/usage';
import { useUser } from '@/api/user';
import { FoundationCards } from '@/features/endpoints/cards';
import { type Filters, filtered, isFoundation, TYPES } from '@/features/endpoints/filters';
import { EndpointTable } from '@/features/endpoints/table';
import { TASKS } from '@/lib/model';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { Page } from '@/ui/page';
import { useNow } from '@/ui/time';

const CreateButton = () => (
  <Button leftSection={<IconPlus size={16} aria-hidden />} renderRoot={(props) => <Link to="/create-endpoint" {...props} />}>
    Create serving endpoint
  </Button>
);

export function EndpointsPage() {
  const query = useQuery(endpointsQuery);
  return (
    <Page title="Serving endpoints" actions={<CreateButton />}>
      {query.isError && query.data && <ErrorPanel error={query.error} title="These states may be out of date" />}
      <Loaded query={query}>{(endpoints) => <Endpoints endpoints={endpoints} />}</Loaded>
    </Page>
  );
}

function Endpoints({ endpoints }: { endpoints: readonly Endpoint[] }) {
  const filters = useSearch({ from: '/endpoints' });
  const navigate = useNavigate({ from: '/endpoints' });
  const user = useUser();
  const prices = useQuery(pricesQuery).data ?? [];
  const now = useNow(60_000);
  const put = (change: Partial<Filters>): void => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const foundation = endpoints.filter(isFoundation);
  const shown = filtered(endpoints, filters, user.name);
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <Stack gap="lg">
      {foundation.length > 0 && !isFiltered && <FoundationCards endpoints={foundation} prices={prices} now={now} />}
      <section aria-label="All endpoints">
        <Stack gap="sm">
          <FilterBar filters={filters} put={put} />
          {shown.length === 0 ? (
            <Nothing isFiltered={isFiltered} onClear={() => void navigate({ search: {}, replace: true })} />
          ) : (
            <EndpointTable endpoints={shown} />
          )}
        </Stack>
      </section>
    </Stack>
  );
}

function Nothing({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (isFiltered)
    return (
      <Empty title="No endpoint is like that" action={<Button variant="default" onClick={onClear}>Clear the filters</Button>}>
        Change the filters, or clear them to see every endpoint.
      </Empty>
    );
  return (
    <Empty title="No endpoints yet" action={<CreateButton />}>
      An endpoint is the address at which a model answers. Create one for a model of the catalogue or one that you imported.
    </Empty>
  );
}

function FilterBar({ filters, put }: { filters: Filters; put: (change: Partial<Filters>) => void }) {
  return (
    <Group gap="sm" align="flex-end">
      <TextInput
        label="Filter"
        placeholder="Name, entity or tag"
        leftSection={<IconSearch size={16} aria-hidden />}
        value={filters.q ?? ''}
        onChange={(event) => put({ q: event.currentTarget.value || undefined })}
        w={240}
      />
      <Choice label="State" value={filters.state} options={{ ready: 'Ready', 'not-ready': 'Not ready', failed: 'Update failed' }} onChange={(state) => put({ state })} />
      <Choice label="Task" value={filters.task} options={TASKS} onChange={(task) => put({ task })} />
      <Choice label="Type" value={filters.type} options={TYPES} onChange={(type) => put({ type })} />
      <Switch label="Created by me" checked={filters.mine === true} onChange={(event) => put({ mine: event.currentTarget.checked || undefined })} pb={8} />
    </Group>
  );
}

type ChoiceProps = { label: string; value: string | undefined; options: Record<string, string>; onChange: (value: string | undefined) => void };

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <Select
      label={label}
      placeholder="Any"
      data={Object.entries(options).map(([key, text]) => ({ value: key, label: text }))}
      value={value ?? null}
      onChange={(chosen) => onChange(chosen ?? undefined)}
      clearable
      clearButtonProps={{ 'aria-label': `Any ${label.toLowerCase()}` }}
      w={160}
    />
  );
}
