import { Button, Group, Menu, Stack, Tabs, Text } from '@mantine/core';
import { IconDots, IconMessages, IconPencil } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';

import { deleteEndpoint, type Endpoint, endpointAction, endpointQuery } from '@/api/endpoints';
import { sqlQuery, literal } from '@/api/usage';
import { Events } from '@/features/endpoint/events';
import { Gateway } from '@/features/endpoint/gateway';
import { Logs } from '@/features/endpoint/logs';
import { Overview } from '@/features/endpoint/overview';
import { Permissions } from '@/features/endpoint/permissions';
import { Query } from '@/features/endpoint/query';
import { Requests } from '@/features/endpoint/requests';
import { serverUrl } from '@/lib/base';
import { requests } from '@/lib/format';
import { playgroundOf, taskName } from '@/lib/model';
import { Confirm } from '@/ui/confirm';
import { Copy } from '@/ui/copy';
import { ErrorPanel, Loaded, Loading } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';
import { StateBadge } from '@/ui/state';

/** With the charts' library, which is large. The other tabs are small: what is waited for is shown 300 ms later by React. */
const Metrics = lazy(() => import('@/features/endpoint/metrics').then((it) => ({ default: it.Metrics })));

const isOwn = (endpoint: Endpoint): boolean => endpoint.permission_level === 'CAN_MANAGE' && endpoint.endpoint_type !== 'FOUNDATION_MODEL_API';

export function EndpointPage() {
  const { name } = useParams({ from: '/endpoints/$name' });
  const query = useQuery(endpointQuery(name));
  const above = (
    <Link to="/endpoints" className="link" style={{ fontSize: 13 }}>
      ← Serving endpoints
    </Link>
  );
  if (!query.data)
    return (
      <Page title={name} above={above}>
        <Loaded query={query}>{() => null}</Loaded>
      </Page>
    );
  const endpoint = query.data;
  return (
    <Page title={name} above={above} subtitle={<Address endpoint={endpoint} />} actions={<Actions endpoint={endpoint} />}>
      {query.isError && <ErrorPanel error={query.error} title="This may be out of date" />}
      <Sections endpoint={endpoint} />
    </Page>
  );
}

function Address({ endpoint }: { endpoint: Endpoint }) {
  const url = `${serverUrl()}/serving-endpoints/${endpoint.name}/invocations`;
  return (
    <Stack gap={4} mt={4}>
      <Group gap="xs">
        <StateBadge state={endpoint.state} />
        <span>{taskName(endpoint.task)}</span>
      </Group>
      <Group gap={4} wrap="nowrap">
        <Text size="xs" ff="monospace" className="breaks">
          {url}
        </Text>
        <Copy value={url} label="Copy the URL" />
      </Group>
    </Stack>
  );
}

function Sections({ endpoint }: { endpoint: Endpoint }) {
  const { tab } = useSearch({ from: '/endpoints/$name' });
  const navigate = useNavigate({ from: '/endpoints/$name' });
  const tabs = [
    ['overview', 'Overview'],
    ['metrics', 'Metrics'],
    ['query', 'Query'],
    ['requests', 'Usage'],
    ['events', 'Events'],
    ['logs', 'Logs'],
    ['gateway', 'AI gateway'],
    ['permissions', 'Permissions'],
  ] as const;
  return (
    <Tabs value={tab ?? 'overview'} onChange={(chosen) => void navigate({ search: { tab: chosen === 'overview' ? undefined : (chosen ?? undefined) } })} keepMounted={false}>
      <div className="scrolls">
        <Tabs.List mb="md" style={{ flexWrap: 'nowrap' }}>
          {tabs.map(([key, label]) => (
            <Tabs.Tab key={key} value={key}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
      </div>
      <Suspense fallback={<Loading />}>
        <Tabs.Panel value="overview">
          <Overview endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="metrics">
          <Metrics endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="query">
          <Query endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="requests">
          <Requests endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <Events endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="logs">
          <Logs endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="gateway">
          <Gateway endpoint={endpoint} />
        </Tabs.Panel>
        <Tabs.Panel value="permissions">
          <Permissions endpoint={endpoint} />
        </Tabs.Panel>
      </Suspense>
    </Tabs>
  );
}

function Actions({ endpoint }: { endpoint: Endpoint }) {
  const [asks, setAsks] = useState<'delete' | 'stop' | 'start' | 'cancel' | null>(null);
  const isStopped = endpoint.state.suspend === 'STOPPED';
  return (
    <>
      <Button leftSection={<IconMessages size={16} aria-hidden />} renderRoot={(props) => <Link to="/playground" search={playgroundOf(endpoint)} {...props} />}>
        Open in Playground
      </Button>
      {isOwn(endpoint) && (
        <>
          <Button variant="default" leftSection={<IconPencil size={16} aria-hidden />} renderRoot={(props) => <Link to="/endpoints/$name/edit" params={{ name: endpoint.name }} {...props} />}>
            Edit
          </Button>
          <Menu position="bottom-end" withinPortal>
            <Menu.Target>
              <Button variant="default" px="xs" aria-label="More actions">
                <IconDots size={16} />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {endpoint.state.config_update === 'IN_PROGRESS' && <Menu.Item onClick={() => setAsks('cancel')}>Cancel the update</Menu.Item>}
              <Menu.Item onClick={() => setAsks(isStopped ? 'start' : 'stop')}>{isStopped ? 'Start' : 'Stop'}</Menu.Item>
              <Menu.Item color="red" onClick={() => setAsks('delete')}>
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </>
      )}
      {asks === 'delete' && <DeleteDialog endpoint={endpoint} onClose={() => setAsks(null)} />}
      {asks !== null && asks !== 'delete' && <ChangeDialog endpoint={endpoint} action={asks} onClose={() => setAsks(null)} />}
    </>
  );
}

const CHANGES = {
  stop: { title: 'Stop this endpoint?', action: 'Stop', words: 'It lets go of its memory and refuses requests until it is started again.', done: 'stopped' },
  start: { title: 'Start this endpoint?', action: 'Start', words: 'It starts as a new version of its configuration.', done: 'starting' },
  cancel: { title: 'Cancel the update?', action: 'Cancel the update', words: 'The pending configuration is given up; the active one goes on.', done: 'update cancelled' },
} as const;

function ChangeDialog({ endpoint, action, onClose }: { endpoint: Endpoint; action: keyof typeof CHANGES; onClose: () => void }) {
  const client = useQueryClient();
  const change = CHANGES[action];
  const run = async (): Promise<void> => {
    await endpointAction(endpoint.name, action);
    await client.invalidateQueries({ queryKey: ['endpoints'] });
    told(`${endpoint.name}: ${change.done}.`);
  };
  return (
    <Confirm title={change.title} action={change.action} run={run} onClose={onClose}>
      {change.words}
    </Confirm>
  );
}

function DeleteDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const users = useQuery(
    sqlQuery(
      'users',
      `SELECT requester, count(*) AS requests FROM system.serving.endpoint_usage WHERE endpoint_name = ${literal(endpoint.name)} AND request_time > now()::TIMESTAMP - INTERVAL 24 HOUR GROUP BY requester ORDER BY requests DESC LIMIT 10`,
    ),
  ).data;
  const run = async (): Promise<void> => {
    await deleteEndpoint(endpoint.name);
    await navigate({ to: '/endpoints' });
    client.removeQueries({ queryKey: ['endpoints', endpoint.name] });
    await client.invalidateQueries({ queryKey: ['endpoints'], exact: true });
    told(`${endpoint.name} was deleted.`);
  };
  return (
    <Confirm title="Delete this endpoint?" action="Delete" typed={endpoint.name} run={run} onClose={onClose}>
      <p>Its address stops answering at once; requests that run may end. This cannot be taken back.</p>
      {users && users.length > 0 && (
        <p>
          Used in the last 24 hours by{' '}
          {users.map((row) => `${String(row.requester)} (${requests(Number(row.requests))})`).join(', ')}.
        </p>
      )}
      {users?.length === 0 && <p>Nobody that you can see used it in the last 24 hours.</p>}
    </Confirm>
  );
}
