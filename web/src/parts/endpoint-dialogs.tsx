import { useQuery, useQueryClient } from '@tanstack/react-query';

import { deleteEndpoint, type Endpoint, endpointAction } from '@/api/endpoints';
import { literal, sqlQuery } from '@/api/usage';
import { requests } from '@/lib/format';
import { Confirm } from '@/ui/confirm';
import { told } from '@/ui/notify';

const CHANGES = {
  stop: { title: 'Stop this endpoint?', action: 'Stop', words: 'It lets go of its memory and refuses requests until it is started again.', done: 'stopped' },
  start: { title: 'Start this endpoint?', action: 'Start', words: 'It starts as a new version of its configuration.', done: 'starting' },
  cancel: { title: 'Cancel the update?', action: 'Cancel the update', words: 'The pending configuration is given up; the active one goes on.', done: 'update cancelled' },
} as const;

/** What is asked about an endpoint before it is done. */
export type Asked = keyof typeof CHANGES | 'delete';

type DialogProps = { endpoint: Endpoint; asked: Asked; onClose: () => void; /** Before an endpoint that was deleted is forgotten: its page has to be left by then. */ onDeleted?: () => Promise<unknown> };

export function EndpointDialog({ endpoint, asked, onClose, onDeleted }: DialogProps) {
  if (asked === 'delete') return <DeleteDialog endpoint={endpoint} onClose={onClose} onDeleted={onDeleted} />;
  return <ChangeDialog endpoint={endpoint} change={CHANGES[asked]} run={() => endpointAction(endpoint.name, asked)} onClose={onClose} />;
}

type ChangeProps = { endpoint: Endpoint; change: (typeof CHANGES)[keyof typeof CHANGES]; run: () => Promise<unknown>; onClose: () => void };

function ChangeDialog({ endpoint, change, run, onClose }: ChangeProps) {
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
    await run();
    await client.invalidateQueries({ queryKey: ['endpoints'] });
    told(`${endpoint.name}: ${change.done}.`);
  };
  return (
    <Confirm title={change.title} action={change.action} run={submit} onClose={onClose}>
      {change.words}
    </Confirm>
  );
}

type DeleteProps = { endpoint: Endpoint; onClose: () => void; onDeleted: (() => Promise<unknown>) | undefined };

function DeleteDialog({ endpoint, onClose, onDeleted }: DeleteProps) {
  const client = useQueryClient();
  const users = useQuery(
    sqlQuery(
      'users',
      `SELECT requester, count(*) AS requests FROM system.serving.endpoint_usage WHERE endpoint_name = ${literal(endpoint.name)} AND request_time > now()::TIMESTAMP - INTERVAL 24 HOUR GROUP BY requester ORDER BY requests DESC LIMIT 10`,
    ),
  ).data;
  const run = async (): Promise<void> => {
    await deleteEndpoint(endpoint.name);
    await onDeleted?.();
    client.removeQueries({ queryKey: ['endpoints', endpoint.name] });
    await client.invalidateQueries({ queryKey: ['endpoints'], exact: true });
    told(`${endpoint.name} was deleted.`);
  };
  return (
    <Confirm title="Delete this endpoint?" action="Delete" typed={endpoint.name} run={run} onClose={onClose}>
      <p>Its address stops answering at once; requests that run may end. This cannot be taken back.</p>
      {users && users.length > 0 && (
        <p>
          Used in the last 24 hours by{' '}
          {users.map((row) => `${String(row.requester)} (${requests(Number(row.requests))})`).join(', ')}.
        </p>
      )}
      {users?.length === 0 && <p>Nobody that you can see used it in the last 24 hours.</p>}
    </Confirm>
  );
}
