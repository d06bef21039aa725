import { Paper, Skeleton, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import type { SqlRow } from '@/api/sql';
import { rounded } from '@/lib/values';
import { count, duration, money, short } from '@/lib/format';

const percent = (part: number, all: number): string => (all === 0 ? '–' : `${((100 * part) / all).toFixed(part > 0 && part / all < 0.001 ? 3 : 1)} %`);

const WAITING = <Skeleton h={31} w={90} />;

/** The sums of the whole time; `costs` has a row a currency. What is null is on its way: its room is kept. */
export function Cards({ total: known, costs }: { total: SqlRow | null; costs: readonly SqlRow[] | null }) {
  const total = known ?? {};
  const of = (name: string): number => Number(total[name] ?? 0);
  const paid = (costs ?? []).filter((row) => row.currency !== null && Number(row.cost) !== 0);
  const cards: [string, ReactNode, string][] = [
    ['Requests', count(of('requests')), ''],
    ['Input tokens', short(of('input')), `${percent(of('cached'), of('input'))} of them cached`],
    ['Output tokens', short(of('output')), ''],
    ['Cost', costs === null ? WAITING : paid.length === 0 ? '0' : paid.map((row) => <div key={String(row.currency)}>{money(rounded(String(row.cost)), String(row.currency))}</div>), ''],
    ['Errors', percent(of('refused') + of('failed'), of('requests')), `${count(of('refused'))} refused, ${count(of('failed'))} failed`],
    ['First token, P99', total.ttft === null || total.ttft === undefined ? '–' : duration(of('ttft')), ''],
  ];
  return (
    <dl className="tiles" style={{ margin: 0 }}>
      {cards.map(([label, value, more]) => (
        <Paper key={label} withBorder p="md" radius="md" component="div">
          <Text size="xs" c="dimmed" component="dt">
            {label}
          </Text>
          <Text fw={600} size="xl" className="number" component="dd" m={0} style={{ whiteSpace: 'normal' }}>
            {known === null ? WAITING : value}
          </Text>
          {more !== '' && (
            <Text size="xs" c="dimmed" component="dd" m={0}>
              {known === null ? '\u00a0' : more}
            </Text>
          )}
        </Paper>
      ))}
    </dl>
  );
}
