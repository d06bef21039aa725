import { Alert, Button, Group, Paper, Progress, Stack, Text, Title } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';

import { type Endpoint, type EndpointConfig, externalName, type ServedEntity } from '@/api/endpoints';
import { serverUrl } from '@/lib/base';
import { count, dateTime, duration, modelUnits } from '@/lib/format';
import { Fields } from '@/ui/fields';
import { DeploymentBadge } from '@/ui/state';
import { type Column, DataTable } from '@/ui/table';
import { Ago, useNow } from '@/ui/time';

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
          {endpoint.state.config_update === 'IN_PROGRESS' && <Rollout config={pending} />}
          <Entities config={pending} label="Served entities of the pending configuration" />
        </Paper>
      )}
      {endpoint.config && (
        <Paper withBorder p="md" radius="md" component="section" aria-labelledby="active">
          <Title order={2} size="h4" id="active" mb="sm">
            Active configuration, version {endpoint.config.config_version}
          </Title>
          <Entities config={endpoint.config} label="Served entities of the active configuration" />
        </Paper>
      )}
      <About endpoint={endpoint} />
    </Stack>
  );
}

function About({ endpoint }: { endpoint: Endpoint }) {
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-labelledby="about">
      <Title order={2} size="h4" id="about" mb="sm">
        About
      </Title>
      {endpoint.description && (
        <Text size="sm" mb="md" className="breaks">
          {endpoint.description}
        </Text>
      )}
      <Fields
        fields={[
          ['Created by', endpoint.creator],
          ['Created', dateTime(endpoint.creation_timestamp)],
          ['Last modified', <Ago key="ago" ms={endpoint.last_updated_timestamp} />],
          ['Your permission', { CAN_MANAGE: 'Can manage', CAN_QUERY: 'Can query', CAN_VIEW: 'Can view' }[endpoint.permission_level] ?? endpoint.permission_level],
          ['Tags', endpoint.tags.map(({ key, value }) => (value ? `${key}=${value}` : key)).join(', ') || 'None'],
          ['Endpoint id', endpoint.id],
          ['OpenAI base URL', `${serverUrl()}/serving-endpoints`],
        ]}
      />
    </Paper>
  );
}

function Elapsed({ since }: { since: number }) {
  const now = useNow(1000);
  return (
    <Text size="sm" c="dimmed">
      for {duration(Math.max(0, now - since))}
    </Text>
  );
}

/** How many of the new entities are ready. */
function Rollout({ config }: { config: EndpointConfig }) {
  const ready = config.served_entities.filter((one) => one.state.deployment === 'DEPLOYMENT_READY').length;
  const total = config.served_entities.length;
  return (
    <Stack gap={4} mb="md">
      <Progress value={Math.max(6, (100 * ready) / total)} animated aria-label="Served entities that are ready" />
      <Text size="sm" c="dimmed" role="status">
        {ready} of {total} served entities ready. The active configuration answers until all are.
      </Text>
    </Stack>
  );
}

function Advice({ endpoint }: { endpoint: Endpoint }) {
  const failed = [...(endpoint.pending_config?.served_entities ?? []), ...(endpoint.config?.served_entities ?? [])].filter(
    (one) => one.state.deployment === 'DEPLOYMENT_FAILED' || one.state.deployment === 'DEPLOYMENT_RECOVERING',
  );
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

function nextStep(message: string): string {
  if (/memory|room|fit/i.test(message)) return 'Stop or delete an endpoint that is not needed, or choose a smaller model or throughput.';
  if (/gated|401|403|access/i.test(message)) return 'Accept the model’s terms at its source and give the server a token for it.';
  if (/sha|hash|corrupt|checksum|weights/i.test(message)) return 'Register the model again: its files are not what they should be.';
  if (/network|connect|resolve|timed out/i.test(message)) return 'Check the server’s way to the model’s source, or its OPENFM_EGRESS_ALLOW.';
  return '';
}

function Entities({ config, label }: { config: EndpointConfig; label: string }) {
  const shares = new Map(config.traffic_config.routes.map((route) => [route.served_entity_name, route.traffic_percentage]));
  const columns: Column<ServedEntity>[] = [
    { key: 'name', title: 'Name', cell: (one) => one.name },
    {
      key: 'entity',
      title: 'Entity',
      cell: (one) =>
        one.entity_name ? (
          <Link to="/models/$name" params={{ name: one.entity_name }} className="link">
            {one.entity_name} {one.entity_version}
          </Link>
        ) : (
          externalName(one)
        ),
    },
    {
      key: 'state',
      title: 'State',
      cell: (one) => (
        <Stack gap={2} align="flex-start">
          <DeploymentBadge deployment={one.state.deployment} />
          {one.state.deployment_state_message && (
            <Text size="xs" c="dimmed" maw={360} className="breaks">
              {one.state.deployment_state_message}
            </Text>
          )}
        </Stack>
      ),
    },
    { key: 'traffic', title: 'Traffic', isNumber: true, cell: (one) => `${shares.get(one.name) ?? 0} %` },
    { key: 'throughput', title: 'Throughput', cell: throughput },
    { key: 'size', title: 'Size', cell: (one) => one.workload_size ?? '–' },
    { key: 'zero', title: 'Scale to zero', cell: (one) => (one.scale_to_zero_enabled ? 'On' : 'Off') },
  ];
  return <DataTable label={label} columns={columns} rows={config.served_entities} rowKey={(one) => one.name} />;
}

function throughput(entity: ServedEntity): string {
  const burst = entity.burst_scaling_enabled === false ? ', no bursts' : '';
  if (entity.provisioned_model_units) return `${modelUnits(entity.provisioned_model_units)}${burst}`;
  if (entity.max_provisioned_throughput)
    return `${count(entity.min_provisioned_throughput ?? 0)}–${count(entity.max_provisioned_throughput)} tokens/s${burst}`;
  return 'Shared';
}
