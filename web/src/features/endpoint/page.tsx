import { Group, Stack, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';

import { type Endpoint, endpointQuery } from '@/api/endpoints';
import { Actions } from '@/features/endpoint/actions';
import { Events } from '@/features/endpoint/events';
import { Gateway } from '@/features/endpoint/gateway';
import { Logs } from '@/features/endpoint/logs';
import { Overview } from '@/features/endpoint/overview';
import { Permissions } from '@/features/endpoint/permissions';
import { Query } from '@/features/endpoint/query';
import { Requests } from '@/features/endpoint/requests';
import { Usage } from '@/features/endpoint/usage';
import { serverUrl } from '@/lib/base';
import { taskName } from '@/lib/model';
import { Copy } from '@/ui/copy';
import { ErrorPanel, Loaded, Loading } from '@/ui/feedback';
import { Page } from '@/ui/page';
import { StateBadge } from '@/ui/state';
import { TabList } from '@/ui/tab-list';

/** With the charts' library, which is large. The other tabs are small: what is waited for is shown 300 ms later by React. */
const Metrics = lazy(() => import('@/features/endpoint/metrics').then((it) => ({ default: it.Metrics })));

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
        {endpoint.state.ready === 'READY' && endpoint.state.config_update === 'IN_PROGRESS' && <span>An update is on its way.</span>}
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

const TABS = {
  overview: { label: 'Overview', shown: Overview },
  metrics: { label: 'Metrics', shown: Metrics },
  query: { label: 'Query', shown: Query },
  usage: { label: 'Usage', shown: Usage },
  requests: { label: 'Requests', shown: Requests },
  events: { label: 'Events', shown: Events },
  logs: { label: 'Logs', shown: Logs },
  gateway: { label: 'AI gateway', shown: Gateway },
  permissions: { label: 'Permissions', shown: Permissions },
};

function Sections({ endpoint }: { endpoint: Endpoint }) {
  const { tab = 'overview' } = useSearch({ from: '/endpoints/$name' });
  const navigate = useNavigate({ from: '/endpoints/$name' });
  return (
    <Tabs value={tab} onChange={(chosen) => void navigate({ search: { tab: chosen === 'overview' ? undefined : (chosen ?? undefined) } })} keepMounted={false}>
      <TabList tabs={Object.entries(TABS).map(([key, { label }]) => [key, label])} chosen={tab} />
      <Suspense fallback={<Loading />}>
        {Object.entries(TABS).map(([key, { shown: Shown }]) => (
          <Tabs.Panel key={key} value={key}>
            <Shown endpoint={endpoint} />
          </Tabs.Panel>
        ))}
      </Suspense>
    </Tabs>
  );
}
