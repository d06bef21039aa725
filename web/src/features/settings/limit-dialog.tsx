import { NumberInput, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import { setLimit } from '@/api/usage';
import { EMPTY_LIMIT, isComplete, type LimitDraft, limitRequest, MEASURES, SCOPES } from '@/features/settings/limit-rules';
import { KIND_OF, PrincipalSelect } from '@/parts/principal-select';
import { FormDialog } from '@/ui/form-dialog';

export function LimitDialog({ onClose }: { onClose: () => void }) {
  const [draft, setDraft] = useState<LimitDraft>(EMPTY_LIMIT);
  const endpoints = useQuery(endpointsQuery).data ?? [];
  const put = (change: Partial<LimitDraft>): void => setDraft({ ...draft, ...change });
  const kind = KIND_OF[draft.scope];
  return (
    <FormDialog title="Set a limit" action="Set the limit" failed="The limit was not set" done="The limit counts from now on." isReady={isComplete(draft)} queryKey="limits" onClose={onClose} submit={() => setLimit(limitRequest(draft))}>
      <Select label="For" data={[...SCOPES]} value={draft.scope} onChange={(scope) => put({ scope: scope ?? 'all', principal: '' })} allowDeselect={false} />
      {kind && <PrincipalSelect kind={kind} description={kind === 'Groups' ? 'Its members share it' : 'Empty: each one has this limit'} empty={kind === 'Groups' ? undefined : 'Each one'} value={draft.principal} onChange={(principal) => put({ principal })} />}
      <Select label="Endpoint" placeholder="All" data={endpoints.map((one) => one.name)} value={draft.endpoint || null} onChange={(endpoint) => put({ endpoint: endpoint ?? '' })} searchable clearable clearButtonProps={{ 'aria-label': 'All endpoints' }} />
      <Select label="Of" data={[...MEASURES]} value={draft.measure} onChange={(measure) => put({ measure: measure ?? 'requests' })} allowDeselect={false} />
      <NumberInput label="At most" description="0 admits nothing" min={0} allowDecimal={false} allowNegative={false} value={draft.amount} onChange={(amount) => put({ amount: typeof amount === 'number' ? amount : '' })} thousandSeparator="," />
      {draft.measure !== 'concurrency' && <Select label="In a" data={['second', 'minute', 'hour', 'day']} value={draft.period} onChange={(period) => put({ period: period ?? 'minute' })} allowDeselect={false} />}
    </FormDialog>
  );
}
