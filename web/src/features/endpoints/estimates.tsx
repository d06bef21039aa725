import { ColorSwatch, Group, Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { estimateQuery, type ServingEstimate } from '@/api/endpoints';
import type { EntityDraft } from '@/features/endpoints/draft';
import { fitOf, meaningOf, replicasOf } from '@/features/endpoints/estimate';
import { duration } from '@/lib/format';
import { Said } from '@/ui/said';

/** Whether the model fits into what is left of the machine's memory. */
export function MemoryFit({ entity, beside }: { entity: EntityDraft; beside: string }) {
  const { data } = useQuery(estimateQuery(entity.entityName, entity.entityVersion, beside));
  if (!data) return null;
  const fit = fitOf(data.memory, replicasOf(entity));
  return (
    <Stack gap={6} component="section" aria-label="Memory">
      <Progress.Root size="lg" aria-hidden>
        {fit.parts.map(({ name, percent, color }) => (
          <Progress.Section key={name} value={percent} color={color} title={name} />
        ))}
      </Progress.Root>
      <Group gap="md">
        {fit.parts.map(({ name, color }) => (
          <Group key={name} gap={6}>
            <ColorSwatch size={10} color={`var(--mantine-color-${color.replace('.', '-')})`} withShadow={false} aria-hidden />
            <Text size="xs">{name}</Text>
          </Group>
        ))}
      </Group>
      <Text size="sm" c={fit.isTooLarge ? 'var(--mantine-color-error)' : 'dimmed'} role={fit.isTooLarge ? 'alert' : undefined}>
        {fit.sentence}
      </Text>
    </Stack>
  );
}

/** What the throughput that is asked for does. */
export function Meaning({ entity, beside, tokensPerSecond }: { entity: EntityDraft; beside: string; tokensPerSecond: number }) {
  const { data } = useQuery(estimateQuery(entity.entityName, entity.entityVersion, beside));
  if (!data || tokensPerSecond <= 0) return null;
  return (
    <Text size="sm" c="dimmed" role="note" aria-label="What it means">
      <Measured measured={data.throughput} tokensPerSecond={tokensPerSecond} /> <ToModel entity={entity} isMeasured={data.throughput !== null && data.throughput.warning === null} />
    </Text>
  );
}

function Measured({ measured, tokensPerSecond }: { measured: ServingEstimate['throughput']; tokensPerSecond: number }) {
  const meaning = measured && meaningOf(measured, tokensPerSecond);
  if (!measured || !meaning) return 'Not measured here: what it means in requests is known after a calibration.';
  return <Said words={[meaning, measured.warning ?? ''].filter(Boolean).join(' ')} />;
}

function ToModel({ entity, isMeasured }: { entity: EntityDraft; isMeasured: boolean }) {
  if (isMeasured) return null;
  return (
    <Link to="/models/$name" params={{ name: entity.entityName }} className="link-in-text">
      Calibrate the model
    </Link>
  );
}

/** How long the first request after a pause waits. */
export function ColdStart({ entity, beside }: { entity: EntityDraft; beside: string }) {
  const load = useQuery(estimateQuery(entity.entityName, entity.entityVersion, beside)).data?.throughput?.load_s;
  if (!load) return null;
  return (
    <Text size="sm" c="dimmed">
      A cold start takes about {duration(load * 1000)} here.
    </Text>
  );
}
