import { Badge, Button, Group, Modal, Stack, Tabs, Text, Textarea, TextInput } from '@mantine/core';
import { IconDownload, IconSearch } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { type PlatformModel, platformQuery } from '@/api/endpoints';
import { importModel, type Model, modelsQuery } from '@/api/models';
import { taskName } from '@/lib/model';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';
import { type Column, DataTable } from '@/ui/table';
import { Ago } from '@/ui/time';

const registered: Column<Model>[] = [
  {
    key: 'name',
    title: 'Name',
    sort: (one) => one.full_name,
    cell: (one) => (
      <Link to="/models/$name" params={{ name: one.full_name }} className="link">
        {one.full_name}
      </Link>
    ),
  },
  {
    key: 'comment',
    title: 'Comment',
    cell: (one) => (
      <Text size="sm" lineClamp={2} maw={420}>
        {one.comment || '–'}
      </Text>
    ),
  },
  { key: 'aliases', title: 'Aliases', cell: (one) => one.aliases?.map((alias) => `${alias.alias_name} → ${alias.version_num}`).join(', ') || '–' },
  { key: 'owner', title: 'Owner', sort: (one) => one.owner, cell: (one) => one.owner },
  { key: 'updated', title: 'Last modified', sort: (one) => one.updated_at, cell: (one) => <Ago ms={one.updated_at} /> },
];

const AVAILABILITY: Record<string, { words: string; color: string }> = {
  SERVED: { words: 'Served', color: 'teal' },
  STAND_IN: { words: 'Stood in for', color: 'yellow' },
  UNAVAILABLE: { words: 'Cannot run here', color: 'gray' },
};

const known: Column<PlatformModel>[] = [
  { key: 'model', title: 'Model', sort: (one) => one.display_name, cell: (one) => one.display_name },
  { key: 'name', title: 'Endpoint', sort: (one) => one.name, cell: (one) => one.name },
  { key: 'task', title: 'Task', sort: (one) => taskName(one.task), cell: (one) => taskName(one.task) },
  {
    key: 'availability',
    title: 'Here',
    sort: (one) => one.availability,
    cell: (one) => {
      const { words, color } = AVAILABILITY[one.availability] ?? { words: one.availability, color: 'gray' };
      return (
        <Badge color={color} variant="light" className="badge">
          {words}
        </Badge>
      );
    },
  },
  {
    key: 'reason',
    title: 'Why',
    cell: (one) => (
      <Text size="sm" maw={480}>
        {one.reason || '–'}
      </Text>
    ),
  },
];

export function ModelsPage() {
  const [imports, setImports] = useState(false);
  const models = useQuery(modelsQuery);
  const platform = useQuery(platformQuery);
  return (
    <Page
      title="Models"
      actions={
        <Button leftSection={<IconDownload size={16} aria-hidden />} onClick={() => setImports(true)}>
          Import a model
        </Button>
      }
    >
      <Tabs defaultValue="registered" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="registered">Installed</Tabs.Tab>
          <Tabs.Tab value="known">Catalogue</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="registered">
          <Loaded query={models}>{(found) => <Registered models={found} />}</Loaded>
        </Tabs.Panel>
        <Tabs.Panel value="known">
          <Text size="sm" c="dimmed" mb="sm">
            Foundation models that openfm knows, and whether this machine can run them.
          </Text>
          <Loaded query={platform}>{(found) => <DataTable label="Catalogue" columns={known} rows={found.models} rowKey={(one) => one.name} />}</Loaded>
        </Tabs.Panel>
      </Tabs>
      {imports && <ImportDialog onClose={() => setImports(false)} />}
    </Page>
  );
}

function Registered({ models }: { models: readonly Model[] }) {
  const [words, setWords] = useState('');
  const shown = models.filter((one) => `${one.full_name} ${one.comment}`.toLowerCase().includes(words.toLowerCase()));
  return (
    <Stack gap="sm">
      <TextInput label="Filter" placeholder="Name or comment" leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} w={260} />
      {shown.length === 0 ? (
        <Empty title={words ? 'No model is like that' : 'No models yet'}>{words ? 'Change the filter.' : 'Import one from the Hugging Face hub, or register files with `openfm models register`.'}</Empty>
      ) : (
        <DataTable label="Models" columns={registered} rows={shown} rowKey={(one) => one.full_name} />
      )}
    </Stack>
  );
}

function ImportDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('main.default.');
  const [source, setSource] = useState('');
  const [comment, setComment] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const version = await importModel(name, source, comment);
      await client.invalidateQueries({ queryKey: ['models'] });
      told(`Version ${version.version} of ${name} is being fetched.`);
      await navigate({ to: '/models/$name', params: { name } });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title="Import a model" size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Stack>
          <TextInput label="Source" description="A repository of the Hugging Face hub; the server fetches it" placeholder="hf://HuggingFaceTB/SmolLM2-360M-Instruct-GGUF" value={source} onChange={(event) => setSource(event.currentTarget.value)} data-autofocus required withAsterisk={false} />
          <TextInput label="Name" description="catalog.schema.model; a model of this name gets another version" value={name} onChange={(event) => setName(event.currentTarget.value)} required withAsterisk={false} />
          <Textarea label="Comment" value={comment} onChange={(event) => setComment(event.currentTarget.value)} autosize />
          <Text size="sm" c="dimmed">
            Files of your own: <code>openfm models register {name || 'catalog.schema.model'} FOLDER</code>
          </Text>
          {error !== null && <ErrorPanel error={error} title="The import was not started" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Import
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
