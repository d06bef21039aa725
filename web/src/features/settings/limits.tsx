import { Button, Stack, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { deleteLimit, limitsQuery, type OperatorLimit } from '@/api/usage';
import { LimitDialog } from '@/features/settings/limit-dialog';
import { howMuch, labelOf, MEASURES, whom } from '@/features/settings/limit-rules';
import { Section } from '@/features/settings/section';
import { rateText } from '@/lib/rate-limits';
import { Confirm } from '@/ui/confirm';
import { Empty, Loaded } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { type Column, DataTable } from '@/ui/table';

type OfEndpoint = { name: string; rate_limits: Record<string, unknown>[] };

const ofEndpoints: Column<OfEndpoint>[] = [
  {
    key: 'name',
    title: 'Endpoint',
    sort: (one) => one.name,
    cell: (one) => (
      <Link to="/endpoints/$name" params={{ name: one.name }} search={{ tab: 'gateway' }} className="link">
        {one.name}
      </Link>
    ),
  },
  { key: 'limits', title: 'Limits', cell: (one) => one.rate_limits.map(rateText).join('; ') },
];

export function Limits() {
  const query = useQuery(limitsQuery);
  const [adds, setAdds] = useState(false);
  return (
    <Section words="Yours, over all endpoints or one. Owners set others on their endpoints, shown below; the tightest one counts." action="Set a limit" onAction={() => setAdds(true)}>
      <Loaded query={query}>
        {({ limits, endpoints }) => (
          <Stack>
            {limits.length === 0 ? <Empty title="No limits yet">Callers may use as much as the hardware gives, in turns. Set one for everybody, each user or one endpoint.</Empty> : <OwnLimits limits={limits} />}
            {endpoints.length > 0 && (
              <>
                <Title order={2} size="h5">
                  Set by the owners of endpoints
                </Title>
                <DataTable label="Limits of endpoints" columns={ofEndpoints} rows={endpoints} rowKey={(one) => one.name} />
              </>
            )}
          </Stack>
        )}
      </Loaded>
      {adds && <LimitDialog onClose={() => setAdds(false)} />}
    </Section>
  );
}

function OwnLimits({ limits }: { limits: readonly OperatorLimit[] }) {
  const client = useQueryClient();
  const [asked, ask] = useState<OperatorLimit | null>(null);
  const remove = async (one: OperatorLimit): Promise<void> => {
    await deleteLimit(one.id);
    await client.invalidateQueries({ queryKey: ['limits'] });
    told('The limit is removed.');
  };
  const columns: Column<OperatorLimit>[] = [
    { key: 'for', title: 'For', sort: whom, cell: whom },
    { key: 'endpoint', title: 'Endpoint', sort: (one) => one.endpoint ?? '', cell: (one) => one.endpoint ?? 'All' },
    { key: 'measure', title: 'Of', sort: (one) => one.measure, cell: (one) => labelOf(MEASURES, one.measure) },
    { key: 'amount', title: 'At most', isNumber: true, sort: (one) => one.amount, cell: howMuch },
    {
      key: 'remove',
      title: 'Actions',
      cell: (one) => (
        <Button size="xs" variant="subtle" color="red" onClick={() => ask(one)} aria-label={`Remove the limit of ${howMuch(one)} (${labelOf(MEASURES, one.measure)}) for ${whom(one)}`}>
          Remove
        </Button>
      ),
    },
  ];
  return (
    <>
      <DataTable label="Limits" columns={columns} rows={limits} rowKey={(one) => one.id} />
      {asked && (
        <Confirm title="Remove this limit?" action="Remove" onClose={() => ask(null)} run={() => remove(asked)}>
          {labelOf(MEASURES, asked.measure)} of {whom(asked)}: at most {howMuch(asked)}. It stops counting at once.
        </Confirm>
      )}
    </>
  );
}
