import { Button, Group, Paper, Progress, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import { capacityQuery, createEndpoint, endpointQuery, endpointsQuery, updateConfig } from '@/api/endpoints';
import { useUser } from '@/api/user';
import { configOf, type Draft, draftOf, endpointOf, type EntityDraft, lineDiff, newDraft, newEntity, placeOf, problemsOf } from '@/features/endpoints/draft';
import { EntityForm } from '@/features/endpoints/entity-form';
import { Gateway, type PartProps, Tags } from '@/features/endpoints/form-parts';
import { serverUrl } from '@/lib/base';
import { bytes } from '@/lib/format';
import { ApiError } from '@/lib/problem';
import { managementSamples } from '@/lib/samples';
import { Code, CodeTabs } from '@/ui/code';
import { ErrorPanel, Loaded } from '@/ui/feedback';
import { LeaveGuard } from '@/ui/leave-guard';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';

export function CreateEndpointPage() {
  const { model, version, from } = useSearch({ from: '/create-endpoint' });
  const source = useQuery({ ...endpointQuery(from ?? ''), enabled: from !== undefined, refetchInterval: false });
  const empty = newDraft(newEntity(0, 100, model ?? '', version ?? '1'));
  return (
    <Page title="Create serving endpoint" above={<Back />}>
      {from === undefined ? <EndpointForm initial={empty} /> : <Loaded query={source}>{(endpoint) => <EndpointForm initial={{ ...draftOf(endpoint), name: `${from}-copy` }} />}</Loaded>}
    </Page>
  );
}

export function EditEndpointPage() {
  const { name } = useParams({ from: '/endpoints/$name/edit' });
  const query = useQuery({ ...endpointQuery(name), refetchInterval: false, refetchOnWindowFocus: false });
  return (
    <Page title={`Edit ${name}`} above={<Back />} subtitle="A new version of the configuration; the active one answers until the new one is ready.">
      <Loaded query={query}>{(endpoint) => <EndpointForm initial={draftOf(endpoint)} isEdit />}</Loaded>
    </Page>
  );
}

const Back = () => (
  <Link to="/endpoints" className="link" style={{ fontSize: 13 }}>
    ← Serving endpoints
  </Link>
);

function EndpointForm({ initial, isEdit = false }: { initial: Draft; isEdit?: boolean }) {
  // What was there when the form was opened: states that are asked for meanwhile must not undo what somebody writes.
  const [before] = useState(initial);
  const [draft, setDraft] = useState(before);
  const [isTried, setTried] = useState(false);
  const submit = useSubmit(draft, isEdit);
  const names = useQuery({ ...endpointsQuery, enabled: !isEdit }).data?.map((one) => one.name) ?? [];
  const found = problemsOf(draft, new Set(isEdit ? [] : names));
  const shown = { ...submit.problems, ...(isTried ? found : draft.name !== '' && found.name !== undefined ? { name: found.name } : {}) };
  const put = (change: Partial<Draft>): void => {
    submit.forget();
    setDraft((now) => ({ ...now, ...change }));
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (Object.keys(found).length === 0) void submit.run();
      }}
      noValidate
    >
      <LeaveGuard isDirty={JSON.stringify(draft) !== JSON.stringify(before)} />
      <div className="form-columns">
        <Stack gap="lg">
          {!isEdit && (
            <Paper withBorder p="md" radius="md">
              <Stack gap="md">
                <TextInput label="Name" description="It is in the endpoint’s address and cannot be changed later" value={draft.name} onChange={(event) => put({ name: event.currentTarget.value })} error={shown.name} required withAsterisk={false} data-autofocus />
                <Textarea label="Description" autosize minRows={1} value={draft.description} onChange={(event) => put({ description: event.currentTarget.value })} />
              </Stack>
            </Paper>
          )}
          <EntityList draft={draft} beside={isEdit ? draft.name : ''} put={put} problems={shown} />
          {!isEdit && <Gateway draft={draft} put={put} />}
          {!isEdit && <Tags draft={draft} put={put} />}
          {submit.error !== null && <ErrorPanel error={submit.error} title={isEdit ? 'The endpoint was not updated' : 'The endpoint was not created'} />}
          {isTried && Object.keys(found).length > 0 && (
            <Text c="var(--mantine-color-error)" size="sm" role="alert">
              {Object.values(found).join(' ')}
            </Text>
          )}
          <Group>
            <Button type="submit" loading={submit.isBusy}>
              {isEdit ? 'Update' : 'Create'}
            </Button>
            <Button variant="default" renderRoot={(props) => <Link to="/endpoints" {...props} />}>
              Cancel
            </Button>
          </Group>
        </Stack>
        <Stack gap="lg">
          <Capacity />
          {isEdit && <Changes before={before} draft={draft} />}
          <CopyAs draft={draft} isEdit={isEdit} />
        </Stack>
      </div>
    </form>
  );
}

function useSubmit(draft: Draft, isEdit: boolean) {
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await (isEdit ? updateConfig(draft.name, configOf(draft)) : createEndpoint(endpointOf(draft)));
      await client.invalidateQueries({ queryKey: ['endpoints'] });
      told(isEdit ? `${draft.name} is being updated.` : `${draft.name} was created and is starting.`);
      await navigate({ to: '/endpoints/$name', params: { name: draft.name }, ignoreBlocker: true });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return { run, error, isBusy, problems: problemsIn(error, draft), forget: () => setError(null) };
}

/** What the server objected to, at the field that it named. */
function problemsIn(error: unknown, draft: Draft): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  const place = placeOf(draft, error.field, error.message);
  return place === null ? {} : { [place]: error.message };
}

function EntityList({ draft, beside, put, problems }: PartProps & { beside: string; problems: Record<string, string> }) {
  const change = (id: number, patch: Partial<EntityDraft>): void => put({ entities: draft.entities.map((one) => (one.id === id ? { ...one, ...patch } : one)) });
  const remove = (id: number): void => {
    const left = draft.entities.filter((one) => one.id !== id);
    put({ entities: left.length === 1 ? left.map((one) => ({ ...one, traffic: 100 })) : left });
  };
  const add = (): void => put({ entities: [...draft.entities, newEntity(Math.max(-1, ...draft.entities.map((one) => one.id)) + 1, draft.entities.length ? 0 : 100)] });
  return (
    <Stack gap="md">
      <Title order={2} size="h4">
        Served entities
      </Title>
      {draft.entities.map((entity, index) => (
        <EntityForm key={entity.id} entity={entity} number={index + 1} isOnly={draft.entities.length === 1} beside={beside} problems={problems} put={(patch) => change(entity.id, patch)} onRemove={() => remove(entity.id)} />
      ))}
      <Group>
        <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={add} disabled={draft.entities.length >= 15}>
          Add a served entity
        </Button>
        {draft.entities.length > 1 && (
          <Text size="sm" c={problems.traffic ? 'var(--mantine-color-error)' : 'dimmed'}>
            Traffic: {draft.entities.reduce((sum, one) => sum + one.traffic, 0)} of 100 %
          </Text>
        )}
      </Group>
    </Stack>
  );
}

function Capacity() {
  const user = useUser();
  const capacity = useQuery({ ...capacityQuery, enabled: user.is_admin }).data;
  if (!capacity) return null;
  const taken = capacity.total.memory_bytes - capacity.left.memory_bytes;
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-labelledby="capacity">
      <Title order={2} size="h5" id="capacity" mb="xs">
        What is free
      </Title>
      <Progress value={(100 * taken) / Math.max(1, capacity.total.memory_bytes)} aria-label="Memory that engines take" mb="xs" />
      <Text size="sm">
        {bytes(capacity.left.memory_bytes)} of {bytes(capacity.total.memory_bytes)} memory for engines, {capacity.left.cores} of {capacity.total.cores} cores.
      </Text>
      <Text size="xs" c="dimmed">
        {capacity.hardware}. What does not fit is refused with the numbers.
      </Text>
    </Paper>
  );
}

function Changes({ before, draft }: { before: Draft; draft: Draft }) {
  const [old, now] = [before, draft].map((one) => JSON.stringify(hidden(configOf(one)), null, 2));
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-labelledby="changes">
      <Title order={2} size="h5" id="changes" mb="xs">
        What changes
      </Title>
      {old === now ? <Text size="sm">Nothing yet.</Text> : <Code text={lineDiff(old ?? '', now ?? '')} label="changes" />}
    </Paper>
  );
}

/** Keys are no text to show or to copy. */
const hidden = <T,>(value: T): T => JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'openai_api_key_plaintext' && inner !== '' ? '…' : inner))) as T;

function CopyAs({ draft, isEdit }: { draft: Draft; isEdit: boolean }) {
  const [isShown, show] = useState(false);
  const request = isEdit
    ? { method: 'PUT', path: `/api/2.0/serving-endpoints/${draft.name}/config`, cli: `endpoints update-config ${draft.name}` }
    : { method: 'POST', path: '/api/2.0/serving-endpoints', cli: 'endpoints create' };
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-labelledby="copy-as">
      <Group justify="space-between" mb={isShown ? 'xs' : 0}>
        <Title order={2} size="h5" id="copy-as">
          Copy as
        </Title>
        <Button size="xs" variant="subtle" onClick={() => show(!isShown)} aria-expanded={isShown}>
          {isShown ? 'Hide' : 'Show'}
        </Button>
      </Group>
      {isShown && <CodeTabs label="request" samples={managementSamples(serverUrl(), request, hidden(isEdit ? configOf(draft) : endpointOf(draft)))} />}
    </Paper>
  );
}
