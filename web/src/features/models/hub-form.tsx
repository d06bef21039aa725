import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { importModel } from '@/api/models';
import { NameFields } from '@/features/models/name-fields';
import { isModelName, suggestedName } from '@/features/models/upload-plan';
import { ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

/** The server fetches a repository of the hub; its progress is on the model's page. */
export function HubForm({ known, onClose }: { known: string | undefined; onClose: () => void }) {
  const [source, setSource] = useState('');
  const [own, setOwn] = useState<string | null>(null);
  const [comment, setComment] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const suggested = suggestedName(source);
  const name = known ?? own ?? (suggested ? `main.default.${suggested}` : '');
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const version = await importModel(name, source.trim(), comment);
      await client.invalidateQueries({ queryKey: ['models'] });
      told(`Version ${version.version} of ${name} is being fetched.`);
      onClose();
      await navigate({ to: '/models/$name', params: { name } });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Stack>
        <TextInput label="Source" description="A repository of the hub: hf://organisation/name, with @revision for another than its main, or its web address" placeholder="hf://HuggingFaceTB/SmolLM2-360M-Instruct-GGUF" value={source} onChange={(event) => setSource(event.currentTarget.value)} data-autofocus required withAsterisk={false} />
        <NameFields known={known} name={name} onName={setOwn} comment={comment} onComment={setComment} />
        {error !== null && <ErrorPanel error={error} title="The import was not started" />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={busy} disabled={!isModelName(name)}>
            Import
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
