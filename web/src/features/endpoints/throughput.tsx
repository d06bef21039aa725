import { Alert, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { estimateQuery } from '@/api/endpoints';
import { type EntityDraft, leastOf } from '@/features/endpoints/draft';
import { stepsOf } from '@/features/endpoints/estimate';
import { count, modelUnits } from '@/lib/format';
import { Said } from '@/ui/said';

type ThroughputProps = { entity: EntityDraft; beside: string; problem: string | undefined; put: (change: Partial<EntityDraft>) => void; chunk: number | undefined };

/** How many tokens a second are bought, in steps that are sold. */
export function Throughput({ entity, beside, problem, put, chunk, reason }: ThroughputProps & { reason: string | undefined }) {
  const left = useLeft(entity, beside);
  if (chunk === undefined)
    return (
      <Alert color="gray" title="Choose a model first">
        {reason ? <Said words={reason} /> : 'How throughput is sold depends on the model.'}
      </Alert>
    );
  const steps = stepsOf(chunk, left);
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
          error={problem}
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
      <Room left={left} asked={most} />
    </Stack>
  );
}

/** The same in units, and what they come to. */
export function ModelUnits({ entity, beside, problem, put, chunk }: ThroughputProps) {
  const left = useLeft(entity, beside);
  const asked = entity.units * (chunk ?? 0);
  return (
    <Stack gap={4}>
      <NumberInput label="Model units" min={1} value={entity.units} onChange={(units) => put({ units: Number(units) })} error={problem} w={220} />
      {chunk !== undefined && (
        <Text size="sm" c="dimmed">
          {count(entity.units)} × {count(chunk)} = {count(asked)} tokens per second
        </Text>
      )}
      <Room left={left} asked={asked} />
    </Stack>
  );
}

function useLeft(entity: EntityDraft, beside: string): number | null {
  const { data } = useQuery({ ...estimateQuery(entity.entityName, entity.entityVersion, beside), enabled: entity.entityName !== '' });
  return data?.left_throughput ?? null;
}

function Room({ left, asked }: { left: number | null; asked: number }) {
  if (left === null || asked <= left) return null;
  return (
    <Text size="sm" c="var(--mantine-color-error)" role="alert">
      This machine has {count(left)} tokens per second of this model left to promise. Ask for less, or lower, stop or delete another provisioned endpoint.
    </Text>
  );
}
