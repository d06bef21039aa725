import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { type Endpoint, type EndpointEvent, eventsQuery } from '@/api/endpoints';
import { dateTime } from '@/lib/format';
import { Empty, Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';

const WORDS: Record<string, string> = {
  CREATED: 'Created',
  UPDATE_STARTED: 'Update started',
  UPDATE_SUCCEEDED: 'Update succeeded',
  UPDATE_FAILED: 'Update failed',
  UPDATE_CANCELED: 'Update cancelled',
  STARTED: 'Started',
  STOPPED: 'Stopped',
  SCALED_UP: 'Scaled up',
  SCALED_DOWN: 'Scaled down',
  SCALED_TO_ZERO: 'Scaled to zero',
  COLD_START: 'Cold start',
  PROMISE_TOO_LARGE: 'Promised too much',
};

const columns: Column<EndpointEvent>[] = [
  { key: 'time', title: 'Time', sort: (one) => one.timestamp, cell: (one) => dateTime(one.timestamp) },
  { key: 'type', title: 'Event', sort: (one) => one.type, cell: (one) => WORDS[one.type] ?? one.type },
  { key: 'entity', title: 'Served entity', sort: (one) => one.served_entity_name, cell: (one) => one.served_entity_name || '–' },
  { key: 'by', title: 'By', sort: (one) => one.actor, cell: (one) => one.actor || 'openfm' },
  {
    key: 'message',
    title: 'What',
    cell: (one) => (
      <Text size="sm" maw={560} className="breaks">
        {one.message}
      </Text>
    ),
  },
];

/** Its configuration, its replicas: what happened, by whom and why. */
export function Events({ endpoint }: { endpoint: Endpoint }) {
  const query = useQuery(eventsQuery(endpoint.name));
  return (
    <Stack>
      <Loaded query={query}>
        {(events) =>
          events.length === 0 ? (
            <Empty title="No events yet">Updates, scaling and cold starts are kept here.</Empty>
          ) : (
            <DataTable label="Events" columns={columns} rows={events} rowKey={(one) => `${one.timestamp} ${one.type} ${one.served_entity_name}`} pageSize={25} />
          )
        }
      </Loaded>
    </Stack>
  );
}
