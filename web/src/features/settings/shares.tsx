import { Button, NumberInput, Select } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { deleteWeight, limitsQuery, setWeight, type Weight } from '@/api/usage';
import { SCOPES, whom } from '@/features/settings/limit-rules';
import { KIND_OF, PrincipalSelect } from '@/parts/principal-select';
import { Section } from '@/features/settings/section';
import { Confirm } from '@/ui/confirm';
import { Empty, Loaded } from '@/ui/feedback';
import { FormDialog } from '@/ui/form-dialog';
import { told } from '@/ui/notify';
import { type Column, DataTable } from '@/ui/table';

const ONES = SCOPES.filter(({ value }) => value in KIND_OF).map(({ value, label }) => ({ value, label: label.replace('Each ', 'A ').replace(', or one', '') }));
const [LEAST, MOST] = [0.01, 100];

/** Who goes first, and how much, while several wait for one endpoint. */
export function Shares() {
  const query = useQuery(limitsQuery);
  const [adds, setAdds] = useState(false);
  return (
    <Section words="While callers wait for the same shared endpoint, each gets tokens in proportion to its share. Everybody has 1 unless it says otherwise here; of a group, each member has it." action="Set a share" onAction={() => setAdds(true)}>
      <Loaded query={query}>{({ weights }) => (weights.length === 0 ? <Empty title="Everybody has the same share">Set one for whoever should get more, or less, while others wait.</Empty> : <Table weights={weights} />)}</Loaded>
      {adds && <ShareDialog onClose={() => setAdds(false)} />}
    </Section>
  );
}

function Table({ weights }: { weights: readonly Weight[] }) {
  const client = useQueryClient();
  const [asked, ask] = useState<Weight | null>(null);
  const remove = async (one: Weight): Promise<void> => {
    await deleteWeight(one);
    await client.invalidateQueries({ queryKey: ['limits'] });
    told('The share is removed.');
  };
  const columns: Column<Weight>[] = [
    { key: 'for', title: 'For', sort: whom, cell: whom },
    { key: 'weight', title: 'Share', isNumber: true, sort: (one) => one.weight, cell: (one) => one.weight },
    {
      key: 'remove',
      title: 'Actions',
      cell: (one) => (
        <Button size="xs" variant="subtle" color="red" onClick={() => ask(one)} aria-label={`Remove the share of ${whom(one)}`}>
          Remove
        </Button>
      ),
    },
  ];
  return (
    <>
      <DataTable label="Fair shares" columns={columns} rows={weights} rowKey={(one) => `${one.scope} ${one.principal}`} />
      {asked && (
        <Confirm title="Remove this share?" action="Remove" onClose={() => ask(null)} run={() => remove(asked)}>
          {whom(asked)} has the share of its groups again, or 1.
        </Confirm>
      )}
    </>
  );
}

function ShareDialog({ onClose }: { onClose: () => void }) {
  const [scope, setScope] = useState('user');
  const [principal, setPrincipal] = useState('');
  const [weight, setWeightOf] = useState<number | ''>(2);
  return (
    <FormDialog title="Set a share" action="Set the share" failed="The share was not set" done="The share counts from now on." isReady={principal !== '' && weight !== ''} queryKey="limits" onClose={onClose} submit={() => setWeight({ scope, principal, weight: Number(weight) })}>
      <Select
        label="For"
        data={ONES}
        value={scope}
        onChange={(chosen) => {
          setScope(chosen ?? 'user');
          setPrincipal('');
        }}
        allowDeselect={false}
      />
      <PrincipalSelect kind={KIND_OF[scope] ?? 'Users'} description={scope === 'user_group' ? 'Each of its members has it' : ''} value={principal} onChange={setPrincipal} />
      <NumberInput label="Share" description={`${LEAST} to ${MOST}; who has none has 1`} min={LEAST} max={MOST} decimalScale={2} value={weight} onChange={(value) => setWeightOf(typeof value === 'number' ? value : '')} />
    </FormDialog>
  );
}
