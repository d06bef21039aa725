import { Select, Skeleton, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';

import { sqlPageQuery } from '@/api/sql';
import { Breakdown } from '@/parts/usage/breakdown';
import { Cards } from '@/features/usage/cards';
import { FilterBar } from '@/features/usage/filter-bar';
import type { Filter, UsageSearch } from '@/parts/usage/filters';
import { isOfAll, isOfPart, money, overTime } from '@/parts/usage/questions';
import { Empty, Loaded } from '@/ui/feedback';
import { useNow } from '@/ui/time';

const UsageCharts = lazy(() => import('@/features/usage/charts').then((it) => ({ default: it.UsageCharts })));
const MOST_ROWS = 10_000;

/** Two questions, each asked once: times and counts, and money. Every figure of the page is of them. */
export function Dashboard({ search, filter }: { search: UsageSearch; filter: Filter }) {
  const now = useNow(60_000);
  const counts = useQuery(sqlPageQuery(overTime(search, now), MOST_ROWS));
  const costs = useQuery(sqlPageQuery(money(search, now), MOST_ROWS));
  const isUnused = counts.data !== undefined && Number(counts.data.rows.find((row) => row.at === null)?.requests ?? 0) === 0;
  return (
    <Stack gap="lg">
      <FilterBar search={search} filter={filter} hasUnit>
        <StatusSelect search={search} filter={filter} />
      </FilterBar>
      {isUnused ? (
        <Empty title="Nothing was used in this time">Ask an endpoint something in the Playground, it is here two seconds later; or look at a longer time, without filters.</Empty>
      ) : (
        <>
          {counts.isPending ? <Cards total={null} costs={null} /> : <Loaded query={counts}>{({ rows }) => <Cards total={rows.find((row) => row.at === null) ?? {}} costs={costs.data?.rows.filter(isOfAll) ?? null} />}</Loaded>}
          {/* Charts take the browser half a second: the table below comes before them. */}
          {counts.isPending || costs.isPending ? <ChartsRoom /> : <Suspense fallback={<ChartsRoom />}>{counts.data && <UsageCharts rows={counts.data.rows} costs={costs.data?.rows ?? []} search={search} />}</Suspense>}
          <Loaded query={costs}>{(found) => <Breakdown rows={found.rows.filter(isOfPart)} hasMore={found.next_page_token !== undefined} search={search} filter={filter} />}</Loaded>
        </>
      )}
    </Stack>
  );
}

const CHARTS = 6;
const CHART_PX = 286;

/** Where the charts will be: as large as they are, so that nothing moves when they come. */
const ChartsRoom = () => (
  <div className="charts" role="status" aria-label="Loading">
    {Array.from({ length: CHARTS }, (_, index) => (
      <Skeleton key={index} h={CHART_PX} radius="md" />
    ))}
    <Skeleton h={CHART_PX} radius="md" style={{ gridColumn: '1 / -1' }} />
  </div>
);

export function StatusSelect({ search, filter }: { search: UsageSearch; filter: Filter }) {
  return (
    <Select
      label="Status"
      placeholder="All"
      data={[
        { value: 'ok', label: 'Answered' },
        { value: 'refused', label: 'Refused (4xx)' },
        { value: 'failed', label: 'Failed (5xx)' },
      ]}
      value={search.status ?? null}
      onChange={(status) => filter({ status: status ?? undefined })}
      clearable
      clearButtonProps={{ 'aria-label': 'All: status' }}
      className="filter"
    />
  );
}
