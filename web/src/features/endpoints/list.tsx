import { ActionIcon, Button, Group, Menu, Select, Stack, Switch, Text, TextInput } from '@mantine/core';
import { IconDots, IconPlus, IconSearch } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import { deleteEndpoint, type Endpoint, endpointAction, endpointsQuery, externalName } from '@/api/endpoints';
import { pricesQuery } from '@/api/usage';
import { useUser } from '@/api/user';
import { type Activity, activityOf, activityQuery } from '@/features/endpoints/activity';
import { FoundationCards } from '@/features/endpoints/cards';
import { type Filters, filtered, isFoundation, ownerName, throughputOf, TYPES, typeOf } from '@/features/endpoints/filters';
import { playgroundOf, TASKS, taskName } from '@/lib/model';
import { Confirm } from '@/ui/confirm';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';
import { Spark } from '@/ui/spark';
import { StateBadge, stateOf } from '@/ui/state';
import { type Column, DataTable } from '@/ui/table';
import { Ago, useNow } from '@/ui/time';

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

/** The table; what came in the last hour is drawn into it when it is known. */
function EndpointTable({ endpoints }: { endpoints: readonly Endpoint[] }) {
  const now = useNow(60_000);
  const rows = useQuery(activityQuery).data;
  const shown = useMemo(() => {
    const activity = rows && activityOf(rows, now);
    return columns.map((column) => (column.key === 'activity' ? { ...column, ...activityColumn(activity) } : column));
  }, [rows, now]);
  return <DataTable label="Serving endpoints" columns={shown} rows={endpoints} rowKey={(one) => one.id} hideable={HIDEABLE} />;
}

const HIDEABLE = ['state', 'entities', 'activity', 'task', 'changed'];

const activityColumn = (activity: ReadonlyMap<string, Activity> | undefined): Pick<Column<Endpoint>, 'sort' | 'cell'> => ({
  sort: (one) => activity?.get(one.name)?.total ?? 0,
  cell: (one) => {
    const found = activity?.get(one.name);
    if (!activity) return null;
    return found ? <Spark label={found.label} bars={found.bars} /> : <Text size="sm" c="dimmed">–</Text>;
  },
});

const firstEntity = (endpoint: Endpoint): string => (endpoint.config ?? endpoint.pending_config)?.served_entities[0]?.entity_name ?? '';

const columns: Column<Endpoint>[] = [
  { key: 'name', title: 'Name', sort: (one) => one.name, cell: (one) => <Name endpoint={one} /> },
  { key: 'state', title: 'State', sort: (one) => stateOf(one.state).words, cell: (one) => <StateBadge state={one.state} /> },
  { key: 'entities', title: 'Served entities', sort: firstEntity, cell: (one) => <Entities endpoint={one} /> },
  { key: 'activity', title: 'Last hour', cell: () => null },
  { key: 'task', title: 'Task', sort: (one) => taskName(one.task), cell: (one) => <Task endpoint={one} /> },
  { key: 'changed', title: 'Last modified', sort: (one) => one.last_updated_timestamp, cell: (one) => <Changed endpoint={one} /> },
  { key: 'menu', title: 'Actions', cell: (one) => <RowMenu endpoint={one} /> },
];

function Name({ endpoint }: { endpoint: Endpoint }) {
  const tags = endpoint.tags.map(({ key, value }) => (value ? `${key}=${value}` : key)).join(', ');
  return (
    <div className="endpoint-name">
      <Link to="/endpoints/$name" params={{ name: endpoint.name }} className="link breaks">
        {endpoint.name}
      </Link>
      {tags && (
        <Text size="xs" c="dimmed" truncate title={tags}>
          {tags}
        </Text>
      )}
    </div>
  );
}

function Changed({ endpoint }: { endpoint: Endpoint }) {
  return (
    <>
      <Ago ms={endpoint.last_updated_timestamp} />
      <Text size="xs" c="dimmed" maw={160} truncate title={ownerName(endpoint)}>
        created by {ownerName(endpoint)}
      </Text>
    </>
  );
}

/** What it answers, and how it is paid for. */
function Task({ endpoint }: { endpoint: Endpoint }) {
  return (
    <>
      <Text size="sm">{taskName(endpoint.task)}</Text>
      <Text size="xs" c="dimmed" className="number">
        {throughputOf(endpoint) ?? TYPES[typeOf(endpoint)]}
      </Text>
    </>
  );
}

function Entities({ endpoint }: { endpoint: Endpoint }) {
  const entities = (endpoint.config ?? endpoint.pending_config)?.served_entities ?? [];
  const first = entities[0];
  if (!first) return '–';
  const name = first.entity_name ? `${first.entity_name} ${first.entity_version ?? ''}` : externalName(first);
  return (
    <Text size="sm" maw={200} truncate title={entities.map((one) => one.entity_name ?? one.name).join(', ')}>
      {name}
      {entities.length > 1 && `, and ${entities.length - 1} more`}
    </Text>
  );
}

function RowMenu({ endpoint }: { endpoint: Endpoint }) {
  const client = useQueryClient();
  const [asks, setAsks] = useState<'delete' | 'stop' | 'start' | null>(null);
  const params = { name: endpoint.name };
  const canManage = endpoint.permission_level === 'CAN_MANAGE' && !isFoundation(endpoint);
  const isStopped = endpoint.state.suspend === 'STOPPED';
  const done = async (message: string): Promise<void> => {
    await client.invalidateQueries({ queryKey: ['endpoints'] });
    told(message);
  };
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${endpoint.name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={params} {...props} />}>Open</Menu.Item>
          <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={params} search={{ tab: 'query' }} {...props} />}>Query</Menu.Item>
          <Menu.Item renderRoot={(props) => <Link to="/playground" search={playgroundOf(endpoint)} {...props} />}>Open in Playground</Menu.Item>
          <Menu.Item renderRoot={(props) => <Link to="/create-endpoint" search={{ from: endpoint.name }} {...props} />}>Clone</Menu.Item>
          {canManage && (
            <>
              <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name/edit" params={params} {...props} />}>Edit</Menu.Item>
              <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={params} search={{ tab: 'permissions' }} {...props} />}>Permissions</Menu.Item>
              <Menu.Item onClick={() => setAsks(isStopped ? 'start' : 'stop')}>{isStopped ? 'Start' : 'Stop'}</Menu.Item>
              <Menu.Item color="red" onClick={() => setAsks('delete')}>
                Delete
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {asks === 'delete' && (
        <Confirm
          title="Delete this endpoint?"
          action="Delete"
          typed={endpoint.name}
          onClose={() => setAsks(null)}
          run={() => deleteEndpoint(endpoint.name).then(() => done(`${endpoint.name} was deleted.`))}
        >
          Its address stops answering at once; requests that run may end. This cannot be taken back.
        </Confirm>
      )}
      {(asks === 'stop' || asks === 'start') && (
        <Confirm
          title={asks === 'stop' ? 'Stop this endpoint?' : 'Start this endpoint?'}
          action={asks === 'stop' ? 'Stop' : 'Start'}
          onClose={() => setAsks(null)}
          run={() => endpointAction(endpoint.name, asks).then(() => done(`${endpoint.name}: ${asks === 'stop' ? 'stopped' : 'starting'}.`))}
        >
          {asks === 'stop' ? 'It lets go of its memory and refuses requests until it is started again.' : 'It starts as a new version of its configuration.'}
        </Confirm>
      )}
    </>
  );
}
