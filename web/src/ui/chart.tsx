import { AreaChart, BarChart, LineChart } from '@mantine/charts';
import { Box, Group, Paper, Switch, Text } from '@mantine/core';
import { useState } from 'react';

import { Empty } from '@/ui/feedback';
import { DataTable } from '@/ui/table';

import '@mantine/charts/styles.css';

export type Point = Record<string, string | number | null>;
export type Series = { name: string; label: string; color: string };
type ChartProps = {
  title: string;
  kind: 'area' | 'bar' | 'line';
  points: readonly Point[];
  series: readonly Series[];
  x: string;
  format: (value: number) => string;
  isStacked?: boolean;
  /** What the horizontal axis is, where it is not time. */
  xTitle?: string;
};

/** So few that each is seen: a line needs two beside each other. */
const FEW = 40;

/** The table is for whoever has no mouse; what is hidden from screen readers must not take the focus. */
const UNFOCUSED = { accessibilityLayer: false };

/** A chart, and the same numbers as a table for whoever cannot see it or wants to read them. */
export function Chart({ title, kind, points, series, x, format, isStacked = false, xTitle = 'Time' }: ChartProps) {
  const [asTable, setAsTable] = useState(false);
  const filled = points.filter((point) => series.some(({ name }) => point[name] !== null && point[name] !== undefined)).length;
  const common = {
    h: 220,
    data: [...points] as Record<string, unknown>[],
    dataKey: x,
    series: series.map(({ name, label, color }) => ({ name, label, color })),
    valueFormatter: format,
    withLegend: series.length > 1,
    tickLine: 'none' as const,
    yAxisProps: { width: 64 },
  };
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-label={title}>
      <Group justify="space-between" mb="sm">
        <Text fw={600} size="sm" component="h2" m={0}>
          {title}
        </Text>
        <Switch size="xs" label="As a table" checked={asTable} onChange={(event) => setAsTable(event.currentTarget.checked)} />
      </Group>
      {points.length === 0 ? (
        <Empty title="Nothing in this time" />
      ) : asTable ? (
        <DataTable
          label={title}
          rows={points}
          rowKey={(point) => String(point[x])}
          pageSize={10}
          columns={[
            { key: x, title: xTitle, cell: (point) => point[x] },
            ...series.map(({ name, label }) => ({
              key: name,
              title: label,
              isNumber: true,
              cell: (point: Point) => (typeof point[name] === 'number' ? format(point[name]) : '–'),
            })),
          ]}
        />
      ) : (
        <Box aria-hidden className="chart">
          {kind === 'area' && <AreaChart {...common} areaChartProps={UNFOCUSED} type={isStacked ? 'stacked' : 'default'} withDots={points.length < 3} curveType="linear" />}
          {kind === 'bar' && <BarChart {...common} barChartProps={UNFOCUSED} type={isStacked ? 'stacked' : 'default'} maxBarWidth={48} />}
          {kind === 'line' && <LineChart {...common} lineChartProps={UNFOCUSED} withDots={filled < FEW} curveType="linear" connectNulls={false} />}
        </Box>
      )}
    </Paper>
  );
}
