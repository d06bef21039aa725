import { Stack, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { type Correction, correctionsQuery } from '@/api/usage';
import { dateTime, money } from '@/lib/format';
import { type Column, DataTable } from '@/ui/table';

const columns: Column<Correction>[] = [
  { key: 'time', title: 'Time', sort: (one) => one.created_at, cell: (one) => dateTime(Date.parse(one.created_at)) },
  { key: 'who', title: 'User', sort: (one) => one.principal, cell: (one) => one.principal },
  { key: 'endpoint', title: 'Endpoint', sort: (one) => one.endpoint, cell: (one) => one.endpoint },
  { key: 'reason', title: 'Reason', cell: (one) => one.reason },
  { key: 'by', title: 'By', sort: (one) => one.created_by, cell: (one) => one.created_by },
  { key: 'amount', title: 'Amount', isNumber: true, sort: (one) => Number(one.amount), cell: (one) => money(one.amount, one.currency) },
];

/** What was given back or charged again in a month; nothing where there was nothing. */
export function Corrections({ month }: { month: string }) {
  const found = useQuery(correctionsQuery(month)).data ?? [];
  if (found.length === 0) return null;
  return (
    <Stack gap="xs">
      <Title order={2} size="h5">
        Corrections
      </Title>
      <DataTable label="Corrections" columns={columns} rows={found} rowKey={(one) => one.id} pageSize={25} />
    </Stack>
  );
}
