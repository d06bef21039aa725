import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { type Invoice, invoice, invoiceQuery } from '@/api/usage';
import { Corrections } from '@/features/usage/corrections';
import { monthsBack, totalsOf } from '@/features/usage/invoice-rules';
import { download } from '@/lib/files';
import { count, money } from '@/lib/format';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';

type Line = Invoice['lines'][number];
const MONTHS = 12;
const FORMATS = { csv: 'text/csv', json: 'application/json', text: 'text/plain' } as const;
const COUNTS = [
  ['requests', 'Requests'],
  ['prompt_tokens', 'Input tokens'],
  ['completion_tokens', 'Output tokens'],
] as const;

const columns: Column<Line>[] = [
  { key: 'principal', title: 'User', sort: (one) => one.principal ?? '', cell: (one) => one.principal ?? '–' },
  { key: 'endpoint', title: 'Endpoint', sort: (one) => one.endpoint ?? '', cell: (one) => one.endpoint ?? '–' },
  { key: 'entity', title: 'Model', sort: (one) => one.entity ?? '', cell: (one) => one.entity ?? '–' },
  ...COUNTS.map(([key, title]): Column<Line> => ({ key, title, isNumber: true, sort: (one) => one[key] ?? 0, cell: (one) => (one[key] === undefined ? '–' : count(one[key])) })),
  { key: 'amount', title: 'Amount', isNumber: true, sort: (one) => Number(one.amount), cell: (one) => money(one.amount, one.currency) },
];

/** What a month costs, to read and to keep. */
export function InvoiceView() {
  const months = monthsBack(MONTHS, Date.now());
  const [month, setMonth] = useState(months[0] ?? '');
  const [error, setError] = useState<unknown>(null);
  const query = useQuery(invoiceQuery(month));
  const save = (format: keyof typeof FORMATS): void => {
    setError(null);
    invoice(month, format).then((text) => download(`invoice-${month}.${format === 'text' ? 'txt' : format}`, text, FORMATS[format]), setError);
  };
  return (
    <Stack>
      <Group align="flex-end" justify="space-between">
        <Select label="Month" data={months} value={month} onChange={(chosen) => chosen !== null && setMonth(chosen)} allowDeselect={false} w={160} />
        <Group gap="xs">
          {(['csv', 'json', 'text'] as const).map((format) => (
            <Button key={format} variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={() => save(format)}>
              {format === 'text' ? 'Text' : format.toUpperCase()}
            </Button>
          ))}
        </Group>
      </Group>
      {error !== null && <ErrorPanel error={error} title="There is no invoice" />}
      <Loaded query={query}>{(found) => <Lines found={found} />}</Loaded>
      <Corrections month={month} />
    </Stack>
  );
}

function Lines({ found }: { found: Invoice }) {
  if (found.lines.length === 0) return <Empty title="Nothing is charged for this month">Requests are here as soon as they end.</Empty>;
  return (
    <>
      <Group justify="space-between">
        <Text size="sm">
          For {found.for}, {found.state}
          {found.open_requests > 0 && `; ${found.open_requests} requests still run`}
        </Text>
        <Text fw={600} className="number">
          Total {totalsOf(found.lines).map(([currency, amount]) => money(amount, currency)).join(', ')}
        </Text>
      </Group>
      <DataTable label="Invoice" columns={columns} rows={found.lines} rowKey={(one) => JSON.stringify(one)} pageSize={25} />
    </>
  );
}
