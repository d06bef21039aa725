import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { createPrincipal, type Kind, nameOf, type Principal } from '@/api/people';
import { KINDS } from '@/features/access/kinds';
import { TokenDialog } from '@/features/access/token-dialog';
import { ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

/** Adds somebody, and goes on to the token without which they cannot come in. */
export function CreatePrincipal({ kind, onClose }: { kind: Kind; onClose: () => void }) {
  const { one, field, hint } = KINDS[kind];
  const [name, setName] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [tokenOf, setTokenOf] = useState<string | null>(null);
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
    setError(null);
    setBusy(true);
    try {
      const made = (await createPrincipal(kind, name.trim())) as Principal;
      await client.invalidateQueries({ queryKey: ['principals'] });
      told(`${name.trim()} was added.`);
      if (kind === 'Groups') onClose();
      else setTokenOf(nameOf(made));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  if (tokenOf !== null) return <TokenDialog owner={tokenOf} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title={`Add a ${one}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Stack>
          <TextInput label={field} placeholder={hint} value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus required withAsterisk={false} />
          {kind !== 'Groups' && (
            <Text size="sm" c="dimmed">
              Next you can make the first access token.
            </Text>
          )}
          {error !== null && <ErrorPanel error={error} title={`The ${one} was not added`} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Add
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
