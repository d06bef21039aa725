import { Group, Pagination, Table, Text, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconArrowsSort } from '@tabler/icons-react';
import { type ReactNode, useMemo, useState } from 'react';

export type Column<Row> = {
  key: string;
  title: string;
  cell: (row: Row) => ReactNode;
  /** What the column sorts by; a column without it does not sort. */
  sort?: (row: Row) => string | number;
  isNumber?: boolean;
};

type TableProps<Row> = {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  pageSize?: number;
  initialSort?: { key: string; descending: boolean };
};

/** A table that sorts and pages by itself, and scrolls sideways where it must. */
export function DataTable<Row>({ label, columns, rows, rowKey, pageSize = 50, initialSort }: TableProps<Row>) {
  const [sort, setSort] = useState(initialSort ?? null);
  const [wantedPage, setPage] = useState(1);
  const sorted = useMemo(() => sortedRows(rows, columns, sort), [rows, columns, sort]);
  const pages = Math.max(1, Math.ceil(sorted.length / pageSize));
  const page = Math.min(wantedPage, pages);
  const shown = sorted.slice((page - 1) * pageSize, page * pageSize);
  const toggle = (key: string): void =>
    setSort((now) => (now?.key === key ? { key, descending: !now.descending } : { key, descending: false }));
  return (
    <>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus */}
      <div className="scrolls table-frame" role="region" aria-label={label} tabIndex={0}>
        <Table verticalSpacing="xs" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => {
                const direction = sort?.key === column.key ? (sort.descending ? 'descending' : 'ascending') : undefined;
                return (
                  <Table.Th key={column.key} aria-sort={direction} ta={column.isNumber ? 'right' : 'left'}>
                    {column.sort ? <SortButton title={column.title} direction={direction} onClick={() => toggle(column.key)} /> : column.title}
                  </Table.Th>
                );
              })}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((row) => (
              <Table.Tr key={rowKey(row)}>
                {columns.map((column) => (
                  <Table.Td key={column.key} ta={column.isNumber ? 'right' : 'left'} className={column.isNumber ? 'number' : ''}>
                    {column.cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {pages > 1 && (
        <Group justify="space-between">
          <Text size="sm" c="dimmed">
            {(page - 1) * pageSize + 1}–{Math.min(page * pageSize, sorted.length)} of {sorted.length}
          </Text>
          <Pagination
            total={pages}
            value={page}
            onChange={setPage}
            size="sm"
            getControlProps={(control) => ({ 'aria-label': `${control} page` })}
            getItemProps={(number) => ({ 'aria-label': `Page ${number}` })}
          />
        </Group>
      )}
    </>
  );
}

function SortButton({ title, direction, onClick }: { title: string; direction: string | undefined; onClick: () => void }) {
  const Icon = direction === undefined ? IconArrowsSort : direction === 'ascending' ? IconArrowUp : IconArrowDown;
  return (
    <UnstyledButton onClick={onClick} fz="sm" fw={700}>
      <Group gap={4} wrap="nowrap" component="span">
        {title} <Icon size={13} aria-hidden opacity={direction === undefined ? 0.45 : 1} />
      </Group>
    </UnstyledButton>
  );
}

function sortedRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sort: { key: string; descending: boolean } | null): readonly Row[] {
  const by = columns.find((column) => column.key === sort?.key)?.sort;
  if (!by || !sort) return rows;
  const sign = sort.descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [by(one), by(other)];
    return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)));
  });
}
