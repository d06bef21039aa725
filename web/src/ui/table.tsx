import { Button, Checkbox, Group, Pagination, Popover, Select, Stack, Table, Text, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconArrowsSort, IconColumns3 } from '@tabler/icons-react';
import { type ReactNode, useMemo, useState } from 'react';

import { keepView, keptView, PAGE_SIZES, type TableView } from '@/ui/table-view';

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
  /** Columns that may be hidden; with it, they and the rows on a page can be chosen, and the browser keeps that. */
  hideable?: readonly string[];
};

const NONE: readonly string[] = [];

/** A table that sorts and pages by itself, and scrolls sideways where it must. */
export function DataTable<Row>({ label, columns, rows, rowKey, pageSize: usual = 50, initialSort, hideable = NONE }: TableProps<Row>) {
  const [sort, setSort] = useState(initialSort ?? null);
  const [{ hidden, pageSize }, view] = useState<TableView>(() => (hideable.length ? keptView(label) : null) ?? { hidden: [], pageSize: usual });
  const choose = (chosen: TableView): void => {
    view(chosen);
    keepView(label, chosen);
  };
  const seen = columns.filter(({ key }) => !hidden.includes(key));
  const [wantedPage, setPage] = useState(1);
  const sorted = useMemo(() => sortedRows(rows, columns, sort), [rows, columns, sort]);
  const pages = Math.max(1, Math.ceil(sorted.length / pageSize));
  const page = Math.min(wantedPage, pages);
  const shown = sorted.slice((page - 1) * pageSize, page * pageSize);
  const toggle = (key: string): void =>
    setSort((now) => (now?.key === key ? { key, descending: !now.descending } : { key, descending: false }));
  return (
    <>
      {hideable.length > 0 && <ViewMenu columns={columns.filter(({ key }) => hideable.includes(key))} chosen={{ hidden, pageSize }} choose={choose} />}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus */}
      <div className="scrolls table-frame" role="region" aria-label={label} tabIndex={0}>
        <Table verticalSpacing="xs" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              {seen.map((column) => {
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
                {seen.map((column) => (
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

type ViewProps = { columns: readonly { key: string; title: string }[]; chosen: TableView; choose: (chosen: TableView) => void };

function ViewMenu({ columns, chosen, choose }: ViewProps) {
  const { hidden, pageSize } = chosen;
  return (
    <Group justify="flex-end" gap="xs">
      <Popover position="bottom-end" withinPortal={false} trapFocus>
        <Popover.Target>
          <Button size="xs" variant="subtle" leftSection={<IconColumns3 size={14} aria-hidden />}>
            Columns and rows
          </Button>
        </Popover.Target>
        <Popover.Dropdown aria-label="Columns and rows">
          <Stack gap="xs">
            {columns.map(({ key, title }) => (
              <Checkbox key={key} label={title} checked={!hidden.includes(key)} onChange={(event) => choose({ pageSize, hidden: event.currentTarget.checked ? hidden.filter((one) => one !== key) : [...hidden, key] })} />
            ))}
            <Select label="Rows on a page" data={PAGE_SIZES.map(String)} value={String(pageSize)} onChange={(size) => choose({ hidden, pageSize: Number(size) })} allowDeselect={false} comboboxProps={{ withinPortal: false }} />
          </Stack>
        </Popover.Dropdown>
      </Popover>
    </Group>
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
