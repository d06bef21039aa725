import { ActionIcon, Alert, Autocomplete, Group, NumberInput, Paper, PasswordInput, SegmentedControl, Select, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';

import { optimizationQuery } from '@/api/endpoints';
import { modelsQuery, versionsQuery } from '@/api/models';
import { Meaning, MemoryFit } from '@/features/endpoints/estimates';
import { type EntityDraft, leastOf, scaledToZero } from '@/features/endpoints/draft';
import { count, modelUnits } from '@/lib/format';
import { TASKS } from '@/lib/model';

type EntityFormProps = {
  entity: EntityDraft;
  number: number;
  isOnly: boolean;
  /** The endpoint that is edited, whose memory is free for it; empty for a new one. */
  beside: string;
  problems: Record<string, string>;
  put: (change: Partial<EntityDraft>) => void;
  onRemove: () => void;
};

const STEPS = 20;

/** One served entity: which model, and how much of the machine it gets. */
export function EntityForm({ entity, number, isOnly, beside, problems, put, onRemove }: EntityFormProps) {
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-label={`Served entity ${number}`}>
      <Stack gap="md">
        <Group justify="space-between">
          <Title order={3} size="h5">
            {isOnly ? 'Served entity' : `Served entity ${number}`}
          </Title>
          {!isOnly && (
            <ActionIcon variant="subtle" color="red" aria-label={`Remove served entity ${number}`} onClick={onRemove}>
              <IconTrash size={16} />
            </ActionIcon>
          )}
        </Group>
        <div className="scrolls">
          <SegmentedControl
            aria-label={`Kind of served entity ${number}`}
            value={entity.mode}
            onChange={(mode) => put({ mode: mode })}
            data={[
              { value: 'shared', label: 'Shared' },
              { value: 'provisioned', label: 'Provisioned throughput' },
              { value: 'units', label: 'Model units' },
              { value: 'external', label: 'External model' },
            ]}
          />
        </div>
        {entity.mode === 'external' ? <External entity={entity} problems={problems} put={put} /> : <Registered entity={entity} beside={beside} problems={problems} put={put} />}
        {!isOnly && (
          <Group align="flex-end">
            <NumberInput label="Traffic" suffix=" %" min={0} max={100} value={entity.traffic} onChange={(traffic) => put({ traffic: Number(traffic) })} w={120} />
            <TextInput label="Name" placeholder="Made from the model’s" value={entity.name} onChange={(event) => put({ name: event.currentTarget.value })} />
          </Group>
        )}
      </Stack>
    </Paper>
  );
}

type PartProps = Pick<EntityFormProps, 'entity' | 'problems' | 'put'>;

function Registered({ entity, beside, problems, put }: PartProps & Pick<EntityFormProps, 'beside'>) {
  const models = useQuery(modelsQuery);
  const isKnown = models.data?.some((model) => model.full_name === entity.entityName) ?? false;
  const versions = useQuery({ ...versionsQuery(entity.entityName), enabled: isKnown }).data ?? [];
  const version = versions.find((one) => String(one.version) === entity.entityVersion);
  const info = useQuery({ ...optimizationQuery(entity.entityName, entity.entityVersion), enabled: version?.status === 'READY' }).data;
  const bought = entity.mode === 'units' ? entity.units * (info?.throughput_chunk_size ?? 0) : entity.maxThroughput;
  return (
    <>
      <Group align="flex-start">
        <Autocomplete
          label="Entity"
          description="A model of the catalogue, or one that you imported"
          placeholder="Search models"
          data={models.data?.map((model) => model.full_name) ?? []}
          value={entity.entityName}
          onChange={(entityName) => put({ entityName, entityVersion: newest(entityName, entity) })}
          error={problems[`${entity.id}.entity`] ?? (models.isError ? models.error.message : undefined)}
          w={360}
          maw="100%"
          limit={50}
        />
        <Select
          label="Version"
          description="Which one of it"
          data={versions.map((one) => ({ value: String(one.version), label: `${one.version}${one.status === 'READY' ? '' : ' (not ready)'}`, disabled: one.status !== 'READY' }))}
          value={version ? entity.entityVersion : null}
          onChange={(chosen) => put({ entityVersion: chosen ?? '1' })}
          allowDeselect={false}
          disabled={versions.length === 0}
          w={140}
        />
      </Group>
      {version && <Text size="sm" c="dimmed">{[version.comment, factsOf(version.facts), version.unservable_reason].filter(Boolean).join(' ')}</Text>}
      {entity.mode === 'shared' && (
        <Select
          label="Workload size"
          data={[
            { value: 'Small', label: 'Small: one replica' },
            { value: 'Medium', label: 'Medium: two replicas' },
            { value: 'Large', label: 'Large: four replicas' },
          ]}
          value={entity.workloadSize}
          onChange={(size) => put({ workloadSize: size ?? 'Small' })}
          allowDeselect={false}
          w={220}
        />
      )}
      {entity.mode === 'provisioned' && <Throughput entity={entity} problems={problems} put={put} chunk={info?.throughput_chunk_size} reason={info?.reason} />}
      {entity.mode === 'units' && (
        <Stack gap={4}>
          <NumberInput label="Model units" min={1} value={entity.units} onChange={(units) => put({ units: Number(units) })} error={problems[`${entity.id}.throughput`]} w={220} />
          {info?.throughput_chunk_size !== undefined && (
            <Text size="sm" c="dimmed">
              {count(entity.units)} × {count(info.throughput_chunk_size)} = {count(entity.units * info.throughput_chunk_size)} tokens per second
            </Text>
          )}
        </Stack>
      )}
      {info?.optimizable && entity.mode !== 'shared' && <Meaning entity={entity} beside={beside} tokensPerSecond={bought} />}
      {info?.optimizable && <MemoryFit entity={entity} beside={beside} />}
      <Group>
        <Switch label="Scale to zero" description="Lets go of its memory while nobody asks; the first request then waits for the start" checked={entity.scaleToZero} onChange={(event) => put(scaledToZero(entity, event.currentTarget.checked, info?.throughput_chunk_size ?? 0))} />
        {entity.mode !== 'shared' && (
          <Switch label="Burst scaling" description="Takes more than promised while its places are free" checked={entity.bursts} onChange={(event) => put({ bursts: event.currentTarget.checked })} />
        )}
      </Group>
    </>
  );
}

const newest = (name: string, entity: EntityDraft): string => (name === entity.entityName ? entity.entityVersion : '1');

function factsOf(facts: Record<string, unknown> | undefined): string {
  if (!facts) return '';
  const shown = [
    typeof facts.architecture === 'string' ? `Architecture ${facts.architecture}.` : '',
    typeof facts.context_length === 'number' ? `Context of ${count(facts.context_length)} tokens.` : '',
    typeof facts.license === 'string' ? `Licence ${facts.license}.` : '',
  ];
  return shown.filter(Boolean).join(' ');
}

function Throughput({ entity, problems, put, chunk, reason }: PartProps & { chunk: number | undefined; reason: string | undefined }) {
  if (chunk === undefined)
    return (
      <Alert color="gray" title="Choose a model first">
        {reason ?? 'How throughput is sold depends on the model.'}
      </Alert>
    );
  const steps = Array.from({ length: STEPS + 1 }, (_, step) => step * chunk);
  const options = (values: number[]) => values.map((value) => ({ value: String(value), label: `${count(value)} tokens/s` }));
  const most = entity.maxThroughput;
  const least = entity.scaleToZero ? 0 : chunk;
  const known = (value: number): number[] => (steps.includes(value) ? steps : [...steps, value].sort((a, b) => a - b));
  return (
    <Stack gap={4}>
      <Group align="flex-start">
        <Select
          label="Up to"
          data={options(known(most).slice(1))}
          value={most > 0 ? String(most) : null}
          placeholder="Choose"
          onChange={(chosen) => put({ maxThroughput: Number(chosen), minThroughput: leastOf(entity, chunk, Number(chosen)) })}
          error={problems[`${entity.id}.throughput`]}
          allowDeselect={false}
          w={200}
        />
        <Select
          label="Not below"
          data={options(known(entity.minThroughput).filter((value) => value >= least && value <= most))}
          value={String(entity.minThroughput)}
          onChange={(chosen) => put({ minThroughput: Number(chosen) })}
          allowDeselect={false}
          disabled={most === 0}
          w={200}
        />
      </Group>
      {most > 0 && (
        <Text size="sm" c="dimmed">
          {count(most)} tokens per second are {modelUnits(most / chunk)}. A completion token counts 1; prompt tokens count less.
        </Text>
      )}
    </Stack>
  );
}

function External({ entity, problems, put }: PartProps) {
  const { provider } = entity;
  const set = (change: Partial<EntityDraft['provider']>): void => put({ provider: { ...provider, ...change } });
  return (
    <Group align="flex-start">
      <TextInput label="Address of its API" description="Any server that speaks OpenAI’s API" placeholder="https://api.example.com/v1" value={provider.url} onChange={(event) => set({ url: event.currentTarget.value })} error={problems[`${entity.id}.url`]} w={300} maw="100%" />
      <TextInput label="Model" description="Its name there" value={provider.model} onChange={(event) => set({ model: event.currentTarget.value })} error={problems[`${entity.id}.model`]} />
      <PasswordInput label="Key" description="Kept encrypted, never shown again" value={provider.key} onChange={(event) => set({ key: event.currentTarget.value })} error={problems[`${entity.id}.key`]} w={260} autoComplete="off" visibilityToggleButtonProps={{ 'aria-label': 'Show the key' }} />
      <Select label="Task" description="What it answers" data={Object.entries(TASKS).map(([value, label]) => ({ value, label }))} value={provider.task} onChange={(task) => set({ task: task ?? 'llm/v1/chat' })} allowDeselect={false} w={160} />
    </Group>
  );
}
