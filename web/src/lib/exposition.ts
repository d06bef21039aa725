/** Prometheus' text format: each gauge, added up over its labels. Histograms are left out. */
export function gauges(exposition: string): Record<string, number> {
  const kinds: Record<string, string> = {};
  const sums: Record<string, number> = {};
  for (const line of exposition.split('\n')) {
    const declared = /^# TYPE (\S+) (\S+)/.exec(line);
    if (declared) kinds[declared[1] ?? ''] = declared[2] ?? '';
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line);
    const [, name = '', text = ''] = sample ?? [];
    const value = Number(text);
    if (kinds[name] === 'gauge' && Number.isFinite(value)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}
