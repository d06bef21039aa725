import { shownValue } from '@/lib/values';
import { Copy } from '@/ui/copy';
import { Fields } from '@/ui/fields';

/** All that a row of the ledger has; what is empty is left out. */
export function RowFields({ row }: { row: Readonly<Record<string, unknown>> }) {
  return (
    <Fields
      fields={Object.entries(row)
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => [name, name === 'databricks_request_id' ? <RequestId key={name} id={shownValue(value)} /> : shownValue(value)])}
    />
  );
}

const RequestId = ({ id }: { id: string }) => (
  <span>
    {id} <Copy value={id} label="Copy the request id" />
  </span>
);
