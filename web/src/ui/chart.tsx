import { AreaChart, BarChart, LineChart } from '@mantine/charts';
import { Box, Group, Paper, Switch, Text } from '@mantine/core';
import { useState } from 'react';
import { ReferenceArea } from 'recharts';

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
  /** What is counted in whole numbers has no half on its axis. */
  isWhole?: boolean;
  /** What the horizontal axis is, where it is not time. */
  xTitle?: string;
  /** The mouse was drawn from one point to another, by their places. */
  onZoom?: (first: number, last: number) => void;
};

type MouseState = { activeTooltipIndex?: number | string | null | undefined };
const placeOf = ({ activeTooltipIndex }: MouseState): number | null => (activeTooltipIndex === undefined || activeTooltipIndex === null ? null : Number(activeTooltipIndex));

/** What is marked with the mouse; letting go of more than one point zooms in. */
function useMarked(onZoom: ChartProps['onZoom']) {
  const [marked, mark] = useState<[number, number] | null>(null);
  if (!onZoom) return { marked: null, mouse: {} };
  const mouse = {
    onMouseDown: (state: MouseState) => {
      const at = placeOf(state);
      mark(at === null ? null : [at, at]);
    },
    onMouseMove: (state: MouseState) => {
      const at = placeOf(state);
      if (at !== null) mark((now) => now && [now[0], at]);
    },
    onMouseUp: () => {
      if (marked && marked[0] !== marked[1]) onZoom(Math.min(...marked), Math.max(...marked));
      mark(null);
    },
    onMouseLeave: () => mark(null),
    style: { cursor: 'crosshair', userSelect: 'none' as const },
  };
  return { marked, mouse };
}

/** So few that each is seen: a line needs two beside each other. */
const FEW = 40;

const bounds = ([x1, x2]: (string | number | null | undefined)[]): { x1: string | number; x2: string | number } => ({ x1: x1 ?? '', x2: x2 ?? '' });

/** The table is for whoever has no mouse; what is hidden from screen readers must not take the focus. */
const UNFOCUSED = { accessibilityLayer: false };

/** A chart, and the same numbers as a table for whoever cannot see it or wants to read them. */
export function Chart({ title, kind, points, series, x, format, isStacked = false, isWhole = false, xTitle = 'Time', onZoom }: ChartProps) {
  const [asTable, setAsTable] = useState(false);
  const { marked, mouse } = useMarked(onZoom);
  const own = { ...UNFOCUSED, ...mouse };
  const filled = points.filter((point) => series.some(({ name }) => point[name] !== null && point[name] !== undefined)).length;
  const common = {
    h: 220,
    data: [...points] as Record<string, unknown>[],
    dataKey: x,
    series: series.map(({ name, label, color }) => ({ name, label, color })),
    valueFormatter: format,
    withLegend: series.length > 1,
    tickLine: 'none' as const,
    yAxisProps: { width: 64, allowDecimals: !isWhole },
    children: marked && <ReferenceArea {...bounds(marked.map((at) => points[at]?.[x]))} fillOpacity={0.15} />,
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
          {kind === 'area' && <AreaChart {...common} areaChartProps={own} type={isStacked ? 'stacked' : 'default'} withDots={points.length < 3} curveType="linear" />}
          {kind === 'bar' && <BarChart {...common} barChartProps={own} type={isStacked ? 'stacked' : 'default'} maxBarWidth={48} />}
          {kind === 'line' && <LineChart {...common} lineChartProps={own} withDots={filled < FEW} curveType="linear" connectNulls={false} />}
        </Box>
      )}
    </Paper>
  );
}
