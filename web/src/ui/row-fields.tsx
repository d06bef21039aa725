import { COLUMNS, shownField } from '@/lib/ledger-row';
import { Copy } from '@/ui/copy';
import { Fields } from '@/ui/fields';

/** All that a row of the ledger has, in words; what is empty is left out. */
export function RowFields({ row }: { row: Readonly<Record<string, unknown>> }) {
  return (
    <Fields
      fields={Object.keys(row).flatMap((name) => {
        const shown = shownField(row, name);
        if (shown === null) return [];
        return [[COLUMNS[name] ?? name, name === 'databricks_request_id' ? <RequestId key={name} id={shown} /> : shown] as const];
      })}
    />
  );
}

const RequestId = ({ id }: { id: string }) => (
  <span>
    {id} <Copy value={id} label="Copy the request id" />
  </span>
);
