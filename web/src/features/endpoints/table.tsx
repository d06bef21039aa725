import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';

import { type Endpoint, externalName, failing, starting } from '@/api/endpoints';
import { type Activity, activityOf, activityQuery } from '@/features/endpoints/activity';
import { ownerName, throughputOf, TYPES, typeOf } from '@/features/endpoints/filters';
import { RowMenu } from '@/features/endpoints/row-menu';
import { nextStep } from '@/lib/advice';
import { taskName } from '@/lib/model';
import { Spark } from '@/ui/spark';
import { StateBadge, stateOf } from '@/ui/state';
import { type Column, DataTable } from '@/ui/table';
import { Ago, useNow } from '@/ui/time';

/** The table; what came in the last hour is drawn into it when it is known. */
export function EndpointTable({ endpoints }: { endpoints: readonly Endpoint[] }) {
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
  { key: 'state', title: 'State', sort: (one) => stateOf(one.state).words, cell: (one) => <State endpoint={one} /> },
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
  const more = entities.length > 1 ? `and ${entities.length - 1} more` : '';
  return (
    <div title={entities.map((one) => one.entity_name ?? one.name).join(', ')}>
      <Text size="sm" maw={240} lineClamp={2} className="breaks">
        {first.entity_name ?? externalName(first)}
      </Text>
      <Text size="xs" c="dimmed">
        {[first.entity_name && `Version ${first.entity_version ?? ''}`, more].filter(Boolean).join(', ')}
      </Text>
    </div>
  );
}

/** The state, and where it is not just "ready" the reason and the next step. */
function State({ endpoint }: { endpoint: Endpoint }) {
  const reason = reasonOf(endpoint);
  return (
    <Stack gap={2} align="flex-start">
      <StateBadge state={endpoint.state} />
      {reason !== '' && (
        <Text size="xs" c="dimmed" maw={240} lineClamp={3} className="breaks" title={reason}>
          {reason}
        </Text>
      )}
    </Stack>
  );
}

function reasonOf(endpoint: Endpoint): string {
  if (endpoint.state.suspend === 'STOPPED') return 'It refuses requests until it is started.';
  const [failed] = failing(endpoint);
  if (failed) return [failed.state.deployment_state_message, nextStep(failed.state.deployment_state_message)].filter(Boolean).join(' ');
  if (endpoint.state.config_update === 'UPDATE_FAILED') return 'Its events say why.';
  const [next] = starting(endpoint);
  if (next) return next.state.deployment_state_message || 'Its engine starts.';
  return endpoint.state.config_update === 'IN_PROGRESS' ? 'An update is on its way.' : '';
}
