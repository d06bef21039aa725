import { Button, Group, Modal, Stack } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';

import { ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

type FormProps = {
  title: string;
  action: string;
  /** What is said above the server's reason when it refuses. */
  failed?: string;
  done?: string;
  isReady?: boolean;
  submit: () => Promise<unknown>;
  /** What is asked for again once it is done. */
  queryKey: string;
  onClose: () => void;
  children: ReactNode;
};

/** A few fields and two buttons; it stays open, with the reason, when the server refuses. */
export function FormDialog({ title, action, failed = 'Nothing was saved', done = 'Saved.', isReady = true, submit, queryKey, onClose, children }: FormProps) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setError(null);
    setBusy(true);
    try {
      await submit();
      await client.invalidateQueries({ queryKey: [queryKey] });
      told(done);
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Stack>
          {children}
          {error !== null && <ErrorPanel error={error} title={failed} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy} disabled={!isReady}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
