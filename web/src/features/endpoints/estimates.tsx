import { Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { estimateQuery, type ServingEstimate } from '@/api/endpoints';
import type { EntityDraft } from '@/features/endpoints/draft';
import { fitOf, meaningOf, replicasOf } from '@/features/endpoints/estimate';
import { duration } from '@/lib/format';

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
      <Text size="sm" c={fit.isTooLarge ? 'var(--mantine-color-error)' : 'dimmed'} role={fit.isTooLarge ? 'alert' : undefined}>
        {fit.sentence}
      </Text>
    </Stack>
  );
}

/** What the throughput that is asked for does, and how long a start takes. */
export function Meaning({ entity, beside, tokensPerSecond }: { entity: EntityDraft; beside: string; tokensPerSecond: number }) {
  const { data } = useQuery(estimateQuery(entity.entityName, entity.entityVersion, beside));
  if (!data || tokensPerSecond <= 0) return null;
  return (
    <Text size="sm" c="dimmed" role="note" aria-label="What it means">
      {said(data.throughput, tokensPerSecond)}
    </Text>
  );
}

function said(measured: ServingEstimate['throughput'], tokensPerSecond: number): string {
  const meaning = measured && meaningOf(measured, tokensPerSecond);
  if (!measured || !meaning) return 'Not measured here: what it means in requests is known after a calibration (Models).';
  const load = measured.load_s > 0 ? ` A cold start takes about ${duration(measured.load_s * 1000)}.` : '';
  return [meaning + load, measured.is_provisional ? 'By a quick calibration: an estimate.' : '', measured.warning ?? ''].filter(Boolean).join(' ');
}
