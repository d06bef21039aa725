import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import type { Endpoint } from '@/api/endpoints';
import { type EndpointReport, endpointReportQuery } from '@/api/usage';
import { dateTime, duration, short } from '@/lib/format';
import { Chart, type Point } from '@/ui/chart';
import { Loaded } from '@/ui/feedback';
import { Said } from '@/ui/said';

const MOST_MINUTES = 360;
const MOST_BREACHES = 5;
const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** What was promised of throughput, and what was delivered, minute by minute. */
export function Promised({ endpoint, seconds }: { endpoint: Endpoint; seconds: number }) {
  const query = useQuery(endpointReportQuery(endpoint.name, Math.min(MOST_MINUTES, Math.ceil(seconds / 60))));
  return <Loaded query={query}>{(report) => <Kept report={report} model={endpoint.config?.served_entities[0]?.entity_name ?? null} />}</Loaded>;
}

function Kept({ report, model }: { report: EndpointReport; model: string | null }) {
  const { objective, minutes } = report;
  const points = minutes.map((one): Point => ({ label: clock.format(one.start_timestamp), promised: one.promised_throughput, delivered: one.delivered_throughput, ttft: one.ttft_ms, tpot: one.tpot_ms }));
  const broken = minutes.filter((one) => one.breaches.length > 0);
  const percentile = `P${objective.percentile}`;
  return (
    <Stack gap="xs" component="section" aria-label="The promise">
      <Text size="sm">
        {minutes.length === 0 ? 'Nothing was asked of it in this time.' : `The promise was kept in ${minutes.length - broken.length} of ${minutes.length} minutes with requests.`}{' '}
        {report.warning && <Said words={report.warning} />}{' '}
        {report.warning && model && (
          <Link to="/models/$name" params={{ name: model }} className="link-in-text">
            Calibrate it on its model’s page
          </Link>
        )}
      </Text>
      {broken.slice(-MOST_BREACHES).map((one) => (
        <Text key={one.start_timestamp} size="sm" c="dimmed">
          {dateTime(one.start_timestamp)}: {one.breaches.join('; ')}
        </Text>
      ))}
      {minutes.length > 0 && (
        <div className="charts">
          <Chart title="Throughput by the minute, tokens/s" kind="line" points={points} x="label" format={short} series={[{ name: 'promised', label: 'Promised', color: 'gray.6' }, { name: 'delivered', label: 'Delivered', color: 'cyan.6' }]} />
          <Chart title={`Latency by the minute (${percentile})`} kind="line" points={points} x="label" format={duration} series={[{ name: 'ttft', label: `First token${bound(objective.ttft_ms)}`, color: 'orange.6' }, { name: 'tpot', label: `Each token${bound(objective.tpot_ms)}`, color: 'violet.5' }]} />
        </div>
      )}
    </Stack>
  );
}

const bound = (ms: number | null): string => (ms === null ? '' : ` (at most ${duration(ms)})`);
