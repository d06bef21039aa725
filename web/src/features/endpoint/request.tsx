import { Alert, Button, Group, Stack, Text, Title } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { type AiGateway, type Endpoint, type Payload, payloadQuery } from '@/api/endpoints';
import { sqlPageQuery } from '@/api/sql';
import { literal } from '@/api/usage';
import { ApiError } from '@/lib/problem';
import { inert } from '@/lib/inert';
import { Code } from '@/ui/code';
import { Loaded } from '@/ui/feedback';
import { RowFields } from '@/ui/row-fields';

/** All that is known of one request: its row in the ledger, and its text where that is kept. */
export function OneRequest({ endpoint, id }: { endpoint: Endpoint; id: string }) {
  const query = useQuery(sqlPageQuery(`SELECT * EXCLUDE (account_id, workspace_id) FROM system.serving.endpoint_usage WHERE databricks_request_id = ${literal(id)}`, 1));
  return (
    <Stack>
      <Loaded query={query}>{({ rows }) => <RowFields row={rows[0] ?? {}} />}</Loaded>
      <Title order={3} size="h5">
        Request and answer
      </Title>
      {endpoint.permission_level === 'CAN_MANAGE' ? <Kept endpoint={endpoint} id={id} /> : <Text size="sm">Only who can manage this endpoint may read what was asked and answered.</Text>}
    </Stack>
  );
}

function Kept({ endpoint, id }: { endpoint: Endpoint; id: string }) {
  const query = useQuery(payloadQuery(endpoint.name, id));
  if (query.error instanceof ApiError && query.error.status === 404) return <NotKept endpoint={endpoint} />;
  return <Loaded query={query}>{(payload) => <Shown endpoint={endpoint} id={id} payload={payload} />}</Loaded>;
}

function NotKept({ endpoint }: { endpoint: Endpoint }) {
  const isOn = (endpoint.ai_gateway as AiGateway | undefined)?.inference_table_config?.enabled === true;
  return (
    <Alert color="gray" title="The text of this request was not kept">
      {isOn ? 'Requests are kept from when the inference table was switched on, for as long as it is told to. ' : 'Switch the inference table on to keep what is asked and answered from then on: '}
      <Link to="/endpoints/$name" params={{ name: endpoint.name }} search={{ tab: 'gateway' }} className="link-in-text">
        AI gateway
      </Link>
    </Alert>
  );
}

function Shown({ endpoint, id, payload }: { endpoint: Endpoint; id: string; payload: Payload }) {
  return (
    <Stack gap="sm">
      {endpoint.task === 'llm/v1/chat' && payload.request !== null && (
        <Group>
          <Button size="xs" leftSection={<IconPlayerPlay size={14} aria-hidden />} renderRoot={(props) => <Link to="/playground" search={{ endpoint: endpoint.name, replay: id }} {...props} />}>
            Replay in Playground
          </Button>
        </Group>
      )}
      <Code text={payload.request === null ? 'Larger than 1 MiB: not kept.' : readable(payload.request)} label="request" />
      <Code text={payload.response === null ? 'Larger than 1 MiB: not kept.' : readable(payload.response)} label="answer" />
    </Stack>
  );
}

/** JSON by lines; anything else, such as the frames of a stream, as it is. */
function readable(text: string): string {
  try {
    return inert(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return inert(text);
  }
}
