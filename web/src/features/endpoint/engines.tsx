import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { type History, historyQuery } from '@/api/endpoints';
import { hourPoints, type Measure } from '@/features/endpoint/hour';
import { short } from '@/lib/format';
import { Chart, type Series } from '@/ui/chart';
import { Loaded } from '@/ui/feedback';
import { useNow } from '@/ui/time';

const SAMPLES = 240;
const COLORS = ['cyan.6', 'violet.5', 'orange.6', 'teal.6'];
const percent = (value: number): string => `${short(value)} %`;
const CHARTS: readonly { measure: Measure; title: string; format: (value: number) => string; isWhole?: true }[] = [
  { measure: 'requests_waiting', title: 'Requests waiting', format: short, isWhole: true },
  { measure: 'requests_running', title: 'Requests under way', format: short, isWhole: true },
  { measure: 'kv_cache_percent', title: 'KV cache in use', format: percent },
  { measure: 'cpu_percent', title: 'CPU of the machine', format: percent },
  { measure: 'memory_percent', title: 'Memory of the machine', format: percent },
  { measure: 'replicas', title: 'Replicas', format: short, isWhole: true },
];

/** What the endpoint's engines held and used in the last hour, as the server remembers it. */
export function EnginesHour({ name }: { name: string }) {
  const query = useQuery(historyQuery(name, SAMPLES));
  return <Loaded query={query}>{(history) => <Charts history={history} />}</Loaded>;
}

function Charts({ history }: { history: History }) {
  const now = useNow(15_000);
  const samples = history.served_entities.flatMap((one) => one.samples);
  const known = CHARTS.filter(({ measure }) => samples.some((sample) => sample[measure] !== null));
  const series = history.served_entities.map((one, index): Series => ({ name: `entity${index}`, label: one.name, color: COLORS[index % COLORS.length] ?? 'cyan.6' }));
  if (known.length === 0) return null;
  return (
    <Stack gap="xs" component="section" aria-label="Engines in the last hour">
      <Text size="sm" c="dimmed">
        The engines in the last hour, every {history.interval_s} seconds; the server begins anew when it is started.
      </Text>
      <div className="charts">
        {known.map(({ measure, title, format, isWhole = false }) => (
          <Chart key={measure} title={title} kind="line" points={hourPoints(history, measure, now)} x="label" format={format} isWhole={isWhole} series={series} />
        ))}
      </div>
    </Stack>
  );
}
