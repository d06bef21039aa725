import { Button, Group, Select, Stack, Text, Textarea } from '@mantine/core';
import { IconDownload, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { askSql, type SqlPage, type SqlRow, sqlPageQuery } from '@/api/sql';
import { Pager, useCursor } from '@/features/usage/cursor';
import { EXAMPLES, isNumeric, TABLES } from '@/features/usage/sql-examples';
import { shownValue } from '@/lib/values';
import { csv, download } from '@/lib/files';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';

const PAGE = 100;
const EXPORT_PAGE = 10_000;
const FIRST = Object.keys(EXAMPLES)[0] ?? '';

/** Asks the ledger whatever one wants to know; reading is all that it can. */
export function SqlView() {
  const [chosen, choose] = useState<string | null>(FIRST);
  const [text, setText] = useState(EXAMPLES[FIRST] ?? '');
  const [asked, ask] = useState<{ query: string; number: number } | null>(null);
  const run = (): void => {
    if (text.trim() !== '') ask({ query: text, number: (asked?.number ?? 0) + 1 });
  };
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        One SELECT at a time, in DuckDB&apos;s dialect, over {TABLES.join(', ')}. Admins see all requests, others their own.
      </Text>
      <Select
        label="Example"
        placeholder="Choose one"
        data={Object.keys(EXAMPLES)}
        value={chosen}
        onChange={(name) => {
          choose(name);
          if (name !== null) setText(EXAMPLES[name] ?? '');
        }}
        w={320}
        maw="100%"
      />
      <Textarea
        label="Question"
        description="Ctrl + Enter asks."
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          choose(null);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run();
        }}
        autosize
        minRows={5}
        maxRows={20}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--mono)', fontSize: 13 } }}
      />
      <Group>
        <Button onClick={run} disabled={text.trim() === ''} leftSection={<IconPlayerPlay size={16} aria-hidden />}>
          Ask
        </Button>
      </Group>
      {asked === null ? <Empty title="No question yet">Choose an example, or write a SELECT, then Ask.</Empty> : <Answer key={asked.number} query={asked.query} />}
    </Stack>
  );
}

function Answer({ query: text }: { query: string }) {
  const cursor = useCursor(text);
  const query = useQuery({ ...sqlPageQuery(text, PAGE, cursor.token), retry: false, gcTime: 0, staleTime: Infinity });
  return (
    <Loaded query={query} lines={6}>
      {(page) => (
        <Stack gap="sm">
          {page.rows.length === 0 ? <Empty title="No rows">The question was answered, and nothing fits it.</Empty> : <Rows page={page} />}
          <Pager cursor={cursor} pageSize={PAGE} shown={page.rows.length} nextToken={page.next_page_token} />
          {page.rows.length > 0 && <ExportButtons query={text} />}
        </Stack>
      )}
    </Loaded>
  );
}

function Rows({ page }: { page: SqlPage }) {
  const numbered = page.rows.map((row, number) => ({ row, number }));
  const columns: Column<{ row: SqlRow; number: number }>[] = page.columns.map(({ name, type }) => ({
    key: name,
    title: name,
    isNumber: isNumeric(type),
    cell: ({ row }) => shownValue(row[name]),
  }));
  return <DataTable label="Answer" columns={columns} rows={numbered} rowKey={({ number }) => String(number)} pageSize={PAGE} />;
}

/** The whole answer, not only the page that is shown: up to the rows of one request of the API. */
function ExportButtons({ query }: { query: string }) {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const save = async (format: 'csv' | 'json'): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const { columns, rows } = await askSql(query, EXPORT_PAGE);
      if (format === 'json') download('answer.json', JSON.stringify(rows, null, 2), 'application/json');
      else download('answer.csv', csv(columns.map(({ name }) => name), rows), 'text/csv');
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return (
    <>
      <Group gap="xs">
        {(['csv', 'json'] as const).map((format) => (
          <Button key={format} variant="default" loading={busy} leftSection={<IconDownload size={16} aria-hidden />} onClick={() => void save(format)}>
            {format.toUpperCase()}
          </Button>
        ))}
        <Text size="sm" c="dimmed">
          The first 10,000 rows.
        </Text>
      </Group>
      {error !== null && <ErrorPanel error={error} title="Nothing was exported" />}
    </>
  );
}
