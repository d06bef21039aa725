import type { Profile } from '@/api/calibrations';
import { batchCurve, latencyCurve } from '@/features/models/curves';
import { duration, short } from '@/lib/format';
import { Chart } from '@/ui/chart';

const LATENCIES = [
  { name: 'ttft_ms', label: 'First token', color: 'brand.6' },
  { name: 'tpot_ms', label: 'Each token', color: 'violet.6' },
  { name: 'e2e_ms', label: 'Whole answer', color: 'orange.6' },
];

/** The profile's measurements as charts, each also as a table. */
export default function ProfileCurves({ profile }: { profile: Profile }) {
  const latencies = latencyCurve(profile.points);
  const shown = LATENCIES.filter(({ name }) => latencies.some((row) => typeof row[name] === 'number'));
  return (
    <div className="charts">
      <Chart
        title="Tokens a second, by requests at once"
        kind="line"
        x="label"
        points={batchCurve(profile)}
        format={(value) => `${short(value)}/s`}
        series={[
          { name: 'prefill', label: 'Input', color: 'brand.6' },
          { name: 'decode', label: 'Output', color: 'orange.6' },
        ]}
      />
      {latencies.length > 0 && <Chart title={`Latency (p${profile.setting.objective.percentile}), by requests a second`} kind="line" x="label" points={latencies} format={duration} series={shown} />}
    </div>
  );
}
