import { Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Endpoint } from '@/api/endpoints';
import { sqlPageQuery } from '@/api/sql';
import { Breakdown } from '@/parts/usage/breakdown';
import { rangeOf, USAGE_RANGES, type UsageSearch } from '@/parts/usage/filters';
import { isOfPart, money } from '@/parts/usage/questions';
import { Empty, Loaded } from '@/ui/feedback';
import { useNow } from '@/ui/time';

const MOST_ROWS = 10_000;

/** Who used the endpoint, and how much: by user, access token or tag. */
export function Usage({ endpoint }: { endpoint: Endpoint }) {
  const now = useNow(60_000);
  const [chosen, choose] = useState<UsageSearch>({ by: 'user' });
  const search = { ...chosen, endpoint: endpoint.name };
  const query = useQuery({ ...sqlPageQuery(money(search, now), MOST_ROWS), placeholderData: keepPreviousData });
  return (
    <Stack>
      <Group justify="space-between">
        <div className="scrolls">
          <SegmentedControl aria-label="Time range" size="xs" data={Object.keys(USAGE_RANGES)} value={rangeOf(search)} onChange={(range) => choose((before) => ({ ...before, range }))} />
        </div>
        <Text size="sm" c="dimmed">
          Admins see everybody&apos;s, others their own.{' '}
          <Link to="/usage" search={{ endpoint: endpoint.name, range: rangeOf(search) }} className="link-in-text">
            Its dashboard in Usage
          </Link>
        </Text>
      </Group>
      <Loaded query={query}>
        {(found) => {
          const rows = found.rows.filter(isOfPart);
          if (rows.length === 0) return <Empty title="Nobody used it in this time">Ask it something under Query, or in the Playground; it is here two seconds later.</Empty>;
          return <Breakdown rows={rows} hasMore={found.next_page_token !== undefined} search={search} filter={(change) => choose((before) => ({ ...before, ...change }))} />;
        }}
      </Loaded>
    </Stack>
  );
}
