import { Stack, Text } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';

import { http } from '@/api/http';
import { count, day } from '@/lib/format';
import { Loaded } from '@/ui/feedback';
import { Fields } from '@/ui/fields';

type Kept = {
  ledger_retention_days: number | null;
  ledger_rows: number;
  ledger_oldest_row: string | null;
  ledger_day_sums: number;
  inference_table_retention_days: number | null;
  inference_table_rows: number;
};

const retentionQuery = queryOptions({
  queryKey: ['retention'],
  queryFn: async ({ signal }) => (await http.get('/api/2.0/openfm/usage/retention', signal)) as Kept,
});

const long = (days: number | null): string => (days === null ? 'For ever' : `${count(days)} days`);

/** For how long is kept what was asked and what it cost. */
export function Retention() {
  const query = useQuery(retentionQuery);
  return (
    <Stack>
      <Text size="sm" c="dimmed" maw={820}>
        Older rows of the ledger are summed up by day, so invoices and reports stay the same; what is said of single requests goes. The settings are <code>OPENFM_LEDGER_RETENTION_DAYS</code> and <code>OPENFM_INFERENCE_TABLE_RETENTION_DAYS</code>.
      </Text>
      <Loaded query={query}>
        {(kept) => (
          <Fields
            fields={[
              ['Ledger rows are kept', long(kept.ledger_retention_days)],
              ['Rows', count(kept.ledger_rows)],
              ['Oldest row', kept.ledger_oldest_row === null ? '–' : day(Date.parse(kept.ledger_oldest_row))],
              ['Sums of days', count(kept.ledger_day_sums)],
              ['Inference tables are kept', long(kept.inference_table_retention_days)],
              ['Their rows', count(kept.inference_table_rows)],
            ]}
          />
        )}
      </Loaded>
    </Stack>
  );
}
