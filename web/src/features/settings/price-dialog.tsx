import { Autocomplete, Select, SimpleGrid, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import { modelsQuery } from '@/api/models';
import { setPrice } from '@/api/usage';
import { amountError, EMPTY_PRICE, isComplete, type PriceDraft, priceRequest } from '@/features/settings/price-rules';
import { FormDialog } from '@/ui/form-dialog';

const KINDS = [
  { value: 'endpoint', label: 'An endpoint, or several by a pattern' },
  { value: 'entity_name', label: 'A model, wherever it is served' },
];
const AMOUNTS = [
  ['prompt', 'Input, a million tokens', 'Left out: nothing'],
  ['completion', 'Output, a million tokens', 'Left out: nothing'],
  ['cached', 'Cached input, a million tokens', 'Left out: as other input'],
  ['model_unit_hour', 'A model unit, an hour', 'Of provisioned endpoints'],
] as const;

export function PriceDialog({ onClose }: { onClose: () => void }) {
  const [draft, setDraft] = useState<PriceDraft>(EMPTY_PRICE);
  const endpoints = useQuery(endpointsQuery).data ?? [];
  const models = useQuery(modelsQuery).data ?? [];
  const put = (change: Partial<PriceDraft>): void => setDraft({ ...draft, ...change });
  const known = draft.kind === 'endpoint' ? endpoints.map((one) => one.name) : models.map((one) => one.full_name);
  return (
    <FormDialog title="Set a price" action="Set the price" failed="The price was not set" done="The price is set." isReady={isComplete(draft)} queryKey="prices" onClose={onClose} submit={() => setPrice(priceRequest(draft))}>
      <Select label="For" data={KINDS} value={draft.kind} onChange={(kind) => put({ kind: kind === 'entity_name' ? 'entity_name' : 'endpoint', target: '' })} allowDeselect={false} data-autofocus />
      <Autocomplete label="Name" placeholder={draft.kind === 'endpoint' ? 'chat-*' : 'main.default.model'} data={known} value={draft.target} onChange={(target) => put({ target })} limit={50} required withAsterisk={false} />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        {AMOUNTS.map(([key, label, hint]) => (
          <TextInput key={key} label={label} description={hint} inputMode="decimal" value={draft.amounts[key]} onChange={(event) => put({ amounts: { ...draft.amounts, [key]: event.currentTarget.value } })} error={amountError(draft.amounts[key])} />
        ))}
        <TextInput label="Currency" description="Three letters, as USD; or DBU" value={draft.currency} onChange={(event) => put({ currency: event.currentTarget.value.toUpperCase() })} maxLength={3} />
        <TextInput label="From" description="Left out: from now on" type="datetime-local" value={draft.from} onChange={(event) => put({ from: event.currentTarget.value })} />
      </SimpleGrid>
    </FormDialog>
  );
}
