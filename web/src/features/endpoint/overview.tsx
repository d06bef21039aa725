import { Alert, Button, Group, Paper, Progress, Stack, Text, Title } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';

import { type Endpoint, type EndpointConfig, failing } from '@/api/endpoints';
import { About } from '@/features/endpoint/about';
import { Entities } from '@/features/endpoint/entities';
import { nextStep } from '@/lib/advice';
import { elapsed } from '@/lib/format';
import { useNow } from '@/ui/time';

export function Overview({ endpoint }: { endpoint: Endpoint }) {
  const pending = endpoint.pending_config;
  return (
    <Stack gap="lg">
      <Advice endpoint={endpoint} />
      {pending && (
        <Paper withBorder p="md" radius="md" component="section" aria-labelledby="pending">
          <Group justify="space-between" mb="sm">
            <Title order={2} size="h4" id="pending">
              Pending configuration, version {pending.config_version}
            </Title>
            {endpoint.state.config_update === 'IN_PROGRESS' && <Elapsed since={pending.start_time} />}
          </Group>
          {endpoint.state.config_update === 'IN_PROGRESS' && <Rollout config={pending} isFirst={!endpoint.config} />}
          <Entities config={pending} label="Served entities of the pending configuration" />
        </Paper>
      )}
      {endpoint.config && (
        <Paper withBorder p="md" radius="md" component="section" aria-labelledby="active">
          <Title order={2} size="h4" id="active" mb="sm">
            Active configuration, version {endpoint.config.config_version}
          </Title>
          <Entities config={endpoint.config} label="Served entities of the active configuration" shownOf={endpoint.name} />
        </Paper>
      )}
      <About endpoint={endpoint} />
    </Stack>
  );
}

function Elapsed({ since }: { since: number }) {
  const now = useNow(1000);
  return (
    <Text size="sm" c="dimmed">
      for {elapsed(now - since)}
    </Text>
  );
}

/** How many of the new entities are ready. */
function Rollout({ config, isFirst }: { config: EndpointConfig; isFirst: boolean }) {
  const ready = config.served_entities.filter((one) => one.state.deployment === 'DEPLOYMENT_READY').length;
  const total = config.served_entities.length;
  return (
    <Stack gap={4} mb="md">
      <Progress value={Math.max(6, (100 * ready) / total)} animated aria-label="Served entities that are ready" />
      <Text size="sm" c="dimmed" role="status">
        {ready} of {total} served entities ready. {isFirst ? 'Requests are answered when all are.' : 'The active configuration answers until all are.'}
      </Text>
    </Stack>
  );
}

function Advice({ endpoint }: { endpoint: Endpoint }) {
  const failed = failing(endpoint);
  if (endpoint.state.suspend === 'STOPPED')
    return (
      <Alert icon={<IconInfoCircle aria-hidden />} color="gray" title="This endpoint is stopped">
        It holds no memory and refuses requests. Start it from the menu at the top.
      </Alert>
    );
  if (failed.length === 0) return null;
  return (
    <Alert icon={<IconInfoCircle aria-hidden />} color="red" title="What to do" role="alert">
      <Stack gap="xs" align="flex-start">
        {failed.map((one) => (
          <Text key={one.name} size="sm" className="breaks">
            <b>{one.name}</b>: {one.state.deployment_state_message} {nextStep(one.state.deployment_state_message)}
          </Text>
        ))}
        <Button size="xs" variant="default" renderRoot={(props) => <Link to="/endpoints/$name" params={{ name: endpoint.name }} search={{ tab: 'logs' }} {...props} />}>
          See the logs
        </Button>
      </Stack>
    </Alert>
  );
}
