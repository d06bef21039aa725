import { SegmentedControl, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { correctCost } from '@/api/usage';
import { FormDialog } from '@/ui/form-dialog';

/** Gives back what a request cost, or charges it again. The ledger's row stays; the correction stands beside it. */
export function CorrectionDialog({ requestId, onClose }: { requestId: string; onClose: () => void }) {
  const [isWhole, setWhole] = useState(true);
  const [amount, setAmount] = useState('');
  const [reason, setReason] = useState('');
  const isReady = reason.trim() !== '' && (isWhole || amount.trim() !== '');
  return (
    <FormDialog title="Correct the cost" action="Correct" failed="Nothing was corrected" done="The correction is on the invoice." isReady={isReady} queryKey="corrections" onClose={onClose} submit={() => correctCost({ request_id: requestId, reason, ...(isWhole ? {} : { amount: amount.trim() }) })}>
      <SegmentedControl aria-label="How much" value={isWhole ? 'all' : 'some'} onChange={(value) => setWhole(value === 'all')} data={[{ value: 'all', label: 'Give all back' }, { value: 'some', label: 'An amount' }]} />
      {!isWhole && <TextInput label="Amount" description="Added to the cost: -0.5 gives half a unit of the currency back" value={amount} onChange={(event) => setAmount(event.currentTarget.value)} />}
      <TextInput label="Reason" description="On record with your name" value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      <Text size="xs" c="dimmed" ff="monospace" className="breaks">
        {requestId}
      </Text>
    </FormDialog>
  );
}
