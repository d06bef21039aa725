import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { deleteModel, deleteVersion, setAlias } from '@/api/models';
import { Confirm } from '@/ui/confirm';
import { ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

/** What is asked about a version. */
export type Asked = { kind: 'delete' | 'alias'; version: number };

export function DeleteModel({ name, onClose }: { name: string; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = async (): Promise<void> => {
    await deleteModel(name);
    await navigate({ to: '/models' });
    client.removeQueries({ queryKey: ['models', name] });
    await client.invalidateQueries({ queryKey: ['models'], exact: true });
    told(`${name} was deleted.`);
  };
  return (
    <Confirm title="Delete this model?" action="Delete" typed={name} run={run} onClose={onClose}>
      All its versions and their files go. A model that an endpoint serves cannot be deleted.
    </Confirm>
  );
}

export function DeleteVersion({ name, version, onClose }: { name: string; version: number; onClose: () => void }) {
  const client = useQueryClient();
  const run = async (): Promise<void> => {
    await deleteVersion(name, version);
    await client.invalidateQueries({ queryKey: ['models'] });
    told(`Version ${version} was deleted.`);
  };
  return (
    <Confirm title={`Delete version ${version}?`} action="Delete" run={run} onClose={onClose}>
      Its files and aliases go. A version that an endpoint serves cannot be deleted.
    </Confirm>
  );
}

export function AliasDialog({ name, version, onClose }: { name: string; version: number; onClose: () => void }) {
  const [alias, setName] = useState('');
  const [error, setError] = useState<unknown>(null);
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
    setError(null);
    try {
      await setAlias(name, alias, version);
      await client.invalidateQueries({ queryKey: ['models'] });
      onClose();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`An alias for version ${version}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Stack>
          <TextInput label="Alias" description="An alias of this name moves here from its version" placeholder="champion" value={alias} onChange={(event) => setName(event.currentTarget.value)} data-autofocus required withAsterisk={false} />
          {error !== null && <ErrorPanel error={error} title="The alias was not set" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit">Set the alias</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
