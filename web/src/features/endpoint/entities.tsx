import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { type EndpointConfig, externalName, historyQuery, type Sample, type ServedEntity } from '@/api/endpoints';
import { count, modelUnits, short } from '@/lib/format';
import { Said } from '@/ui/said';
import { DeploymentBadge } from '@/ui/state';
import { type Column, DataTable } from '@/ui/table';

type EntitiesProps = { config: EndpointConfig; label: string; /** The endpoint of which these are the ones that answer: how they are now is shown too. */ shownOf?: string };

/** What a configuration serves. */
export function Entities({ config, label, shownOf }: EntitiesProps) {
  const history = useQuery({ ...historyQuery(shownOf ?? '', 1), enabled: shownOf !== undefined }).data;
  const now = new Map(history?.served_entities.map(({ name, samples }) => [name, samples.at(-1)]));
  const shares = new Map(config.traffic_config.routes.map((route) => [route.served_entity_name, route.traffic_percentage]));
  const columns: Column<ServedEntity>[] = [
    { key: 'name', title: 'Name', cell: (one) => <div className="name-cell breaks">{one.name}</div> },
    { key: 'entity', title: 'Entity', cell: (one) => <Served entity={one} /> },
    { key: 'state', title: 'State', cell: (one) => <State entity={one} /> },
    { key: 'traffic', title: 'Traffic', isNumber: true, cell: (one) => `${shares.get(one.name) ?? 0} %` },
    { key: 'throughput', title: 'Throughput', cell: (one) => <Throughput entity={one} /> },
    ...(shownOf === undefined ? [] : runningNow(now)),
  ];
  return <DataTable label={label} columns={columns} rows={config.served_entities} rowKey={(one) => one.name} />;
}

const runningNow = (now: ReadonlyMap<string, Sample | undefined>): Column<ServedEntity>[] => [
  { key: 'replicas', title: 'Replicas', isNumber: true, cell: (one) => (one.external_model ? '–' : count(now.get(one.name)?.replicas ?? 0)) },
  { key: 'now', title: 'Tokens/s now', isNumber: true, cell: (one) => rate(now.get(one.name)) },
];

const rate = (sample: Sample | undefined): string => (sample === undefined ? '–' : short(sample.prompt_tokens_per_s + sample.completion_tokens_per_s));

function Served({ entity }: { entity: ServedEntity }) {
  if (!entity.entity_name) return externalName(entity);
  return (
    <>
      <Link to="/models/$name" params={{ name: entity.entity_name }} className="link">
        {entity.entity_name}
      </Link>
      <Text size="xs" c="dimmed">
        Version {entity.entity_version}
      </Text>
    </>
  );
}

function State({ entity: { state } }: { entity: ServedEntity }) {
  return (
    <Stack gap={2} align="flex-start">
      <DeploymentBadge deployment={state.deployment} />
      {state.deployment_state_message && (
        <Text size="xs" c="dimmed" maw={360} className="breaks">
          <Said words={state.deployment_state_message} />
        </Text>
      )}
    </Stack>
  );
}

/** What it may do, how large it is, and whether it sleeps while nobody asks. */
function Throughput({ entity }: { entity: ServedEntity }) {
  const more = [entity.workload_size, `scale to zero ${entity.scale_to_zero_enabled ? 'on' : 'off'}`].filter(Boolean).join(', ');
  return (
    <>
      <Text size="sm">{throughput(entity)}</Text>
      <Text size="xs" c="dimmed">
        {more}
      </Text>
    </>
  );
}

function throughput(entity: ServedEntity): string {
  const burst = entity.burst_scaling_enabled === false ? ', no bursts' : '';
  if (entity.provisioned_model_units) return `${modelUnits(entity.provisioned_model_units)}${burst}`;
  if (entity.max_provisioned_throughput)
    return `${count(entity.min_provisioned_throughput ?? 0)}–${count(entity.max_provisioned_throughput)} tokens/s${burst}`;
  return 'Shared';
}
