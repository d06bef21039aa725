import { ActionIcon, Group, NumberInput, Paper, PasswordInput, SegmentedControl, Select, Stack, Switch, TextInput, Title } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';

import { optimizationQuery } from '@/api/endpoints';
import { modelsQuery, versionsQuery } from '@/api/models';
import { type EntityDraft, scaledToZero } from '@/features/endpoints/draft';
import { ColdStart, Meaning, MemoryFit } from '@/features/endpoints/estimates';
import { ModelFields } from '@/features/endpoints/model-fields';
import { ModelUnits, Throughput } from '@/features/endpoints/throughput';
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

/** One served entity: which model, and how much of the machine it gets. */
export function EntityForm({ entity, number, isOnly, beside, problems, put, onRemove }: EntityFormProps) {
  const isNarrow = useMediaQuery('(max-width: 34em)');
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
        <SegmentedControl
          aria-label={`Kind of served entity ${number}`}
          orientation={isNarrow ? 'vertical' : 'horizontal'}
          value={entity.mode}
          onChange={(mode) => put({ mode: mode })}
          data={[
            { value: 'shared', label: 'Shared' },
            { value: 'provisioned', label: 'Provisioned throughput' },
            { value: 'units', label: 'Model units' },
            { value: 'external', label: 'External model' },
          ]}
        />
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
  const isKnown = useQuery(modelsQuery).data?.some((model) => model.full_name === entity.entityName) ?? false;
  const versions = useQuery({ ...versionsQuery(entity.entityName), enabled: isKnown }).data ?? [];
  const version = versions.find((one) => String(one.version) === entity.entityVersion);
  const info = useQuery({ ...optimizationQuery(entity.entityName, entity.entityVersion), enabled: version?.status === 'READY' }).data;
  const chunk = info?.throughput_chunk_size;
  const bought = entity.mode === 'units' ? entity.units * (chunk ?? 0) : entity.maxThroughput;
  return (
    <>
      <ModelFields entity={entity} problem={problems[`${entity.id}.entity`]} put={put} />
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
      {entity.mode === 'provisioned' && <Throughput entity={entity} beside={beside} problem={problems[`${entity.id}.throughput`]} put={put} chunk={chunk} reason={info?.reason} />}
      {entity.mode === 'units' && <ModelUnits entity={entity} beside={beside} problem={problems[`${entity.id}.throughput`]} put={put} chunk={chunk} />}
      {info?.optimizable && entity.mode !== 'shared' && <Meaning entity={entity} beside={beside} tokensPerSecond={bought} />}
      {info?.optimizable && <MemoryFit entity={entity} beside={beside} />}
      <Group>
        <Switch label="Scale to zero" description="Lets go of its memory while nobody asks; the first request then waits for the start" checked={entity.scaleToZero} onChange={(event) => put(scaledToZero(entity, event.currentTarget.checked, chunk ?? 0))} />
        {entity.mode !== 'shared' && (
          <Switch label="Burst scaling" description="Takes more than promised while its places are free" checked={entity.bursts} onChange={(event) => put({ bursts: event.currentTarget.checked })} />
        )}
      </Group>
      {info?.optimizable && entity.scaleToZero && <ColdStart entity={entity} beside={beside} />}
    </>
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
