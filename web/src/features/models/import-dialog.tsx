import { Modal, SegmentedControl, Stack } from '@mantine/core';
import { useState } from 'react';

import { FilesForm } from '@/features/models/files-form';
import { HubForm } from '@/features/models/hub-form';

const WAYS = [
  { value: 'hub', label: 'Hugging Face hub' },
  { value: 'files', label: 'This computer' },
];

/** Makes a version: the server fetches it, or the browser sends it. `name` is that of a model which gets another one. */
export function ImportDialog({ name, onClose }: { name?: string; onClose: () => void }) {
  const [way, setWay] = useState('hub');
  const [isSending, setSending] = useState(false);
  return (
    <Modal opened onClose={onClose} title={name ? 'Import another version' : 'Import a model'} size="lg" closeOnClickOutside={false} closeOnEscape={!isSending} withCloseButton={!isSending}>
      <Stack>
        <SegmentedControl data={WAYS} value={way} onChange={setWay} disabled={isSending} fullWidth aria-label="Where the model is" />
        {way === 'hub' ? <HubForm known={name} onClose={onClose} /> : <FilesForm known={name} onClose={onClose} onSending={setSending} />}
      </Stack>
    </Modal>
  );
}
