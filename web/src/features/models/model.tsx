import { Badge, Button, Group, Menu, Modal, Paper, Progress, Stack, Text, TextInput } from '@mantine/core';
import { IconDots, IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { deleteAlias, deleteModel, deleteVersion, type Model, modelQuery, setAlias, type Version, versionsQuery } from '@/api/models';
import { useUser } from '@/api/user';
import { bytes, dateTime, duration } from '@/lib/format';
import { fetched } from '@/lib/progress';
import { Confirm } from '@/ui/confirm';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { Fields } from '@/ui/fields';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';

type Asked = { kind: 'model' } | { kind: 'version'; version: number } | { kind: 'alias'; version: number };

export function ModelPage() {
  const { name } = useParams({ from: '/models/$name' });
  const model = useQuery(modelQuery(name));
  const versions = useQuery(versionsQuery(name));
  const user = useUser();
  const [asked, ask] = useState<Asked | null>(null);
  const isSystem = name.startsWith('system.');
  const canManage = !isSystem && (user.is_admin || model.data?.owner === user.name);
  return (
    <Page
      title={name}
      above={
        <Link to="/models" className="link" style={{ fontSize: 13 }}>
          ← Models
        </Link>
      }
      subtitle={model.data?.comment}
      actions={
        canManage && (
          <Button variant="default" color="red" onClick={() => ask({ kind: 'model' })}>
            Delete
          </Button>
        )
      }
    >
      <Loaded query={model}>{(found) => <Facts model={found} />}</Loaded>
      <Loaded query={versions}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="No versions yet">Import or register one.</Empty>
          ) : (
            <Stack>
              {found.map((version) => (
                <VersionCard key={version.id} name={name} version={version} canManage={canManage} ask={ask} />
              ))}
            </Stack>
          )
        }
      </Loaded>
      {asked && <Dialog name={name} asked={asked} onClose={() => ask(null)} />}
    </Page>
  );
}

function Facts({ model }: { model: Model }) {
  return (
    <Fields
      fields={[
        ['Owner', model.owner],
        ['Created', dateTime(model.created_at)],
        ['Last modified', dateTime(model.updated_at)],
      ]}
    />
  );
}

const STATUS: Record<string, { words: string; color: string }> = {
  READY: { words: 'Ready', color: 'teal' },
  PENDING_REGISTRATION: { words: 'Being registered', color: 'blue' },
  FAILED_REGISTRATION: { words: 'Failed', color: 'red' },
};

type VersionProps = { name: string; version: Version; canManage: boolean; ask: (asked: Asked) => void };

function VersionCard({ name, version, canManage, ask }: VersionProps) {
  const status = STATUS[version.status] ?? { words: version.status, color: 'gray' };
  const client = useQueryClient();
  const removeAlias = (alias: string): void => void deleteAlias(name, alias).then(() => client.invalidateQueries({ queryKey: ['models'] }));
  return (
    <Paper withBorder p="md" radius="md" component="article" aria-label={`Version ${version.version}`}>
      <Group justify="space-between" align="flex-start">
        <Group gap="xs">
          <Text fw={600}>Version {version.version}</Text>
          <Badge color={status.color} variant="light" className="badge">
            {status.words}
          </Badge>
          {version.aliases?.map(({ alias_name }) => (
            <Badge key={alias_name} variant="default" className="badge" rightSection={canManage && <RemoveAlias alias={alias_name} onClick={() => removeAlias(alias_name)} />}>
              {alias_name}
            </Badge>
          ))}
        </Group>
        <Group gap="xs">
          {version.status === 'READY' && !version.unservable_reason && (
            <Button size="xs" leftSection={<IconPlus size={14} aria-hidden />} renderRoot={(props) => <Link to="/create-endpoint" search={{ model: name, version: String(version.version) }} {...props} />}>
              Serve
            </Button>
          )}
          {canManage && (
            <Menu position="bottom-end" withinPortal>
              <Menu.Target>
                <Button size="xs" variant="default" px="xs" aria-label={`Actions for version ${version.version}`}>
                  <IconDots size={14} />
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                {version.status === 'READY' && <Menu.Item onClick={() => ask({ kind: 'alias', version: version.version })}>Add an alias</Menu.Item>}
                <Menu.Item color="red" onClick={() => ask({ kind: 'version', version: version.version })}>
                  Delete
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      </Group>
      <Stack gap="xs" mt="sm">
        {version.status === 'PENDING_REGISTRATION' && <ImportProgress message={version.status_message} />}
        {version.status === 'FAILED_REGISTRATION' && (
          <Text size="sm" c="red" className="breaks" role="alert">
            {version.status_message} Import the model again once that is put right.
          </Text>
        )}
        {version.unservable_reason && (
          <Text size="sm" className="breaks">
            Cannot be served: {version.unservable_reason}
          </Text>
        )}
        <Fields
          fields={[
            ['Source', version.source || '–'],
            ['Created', `${dateTime(version.created_at)} by ${version.created_by}`],
            ...Object.entries(version.facts ?? {})
              .filter(([, value]) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
              .slice(0, 12)
              .map(([key, value]) => [key.replaceAll('_', ' '), String(value)] as const),
          ]}
        />
      </Stack>
    </Paper>
  );
}

const RemoveAlias = ({ alias, onClick }: { alias: string; onClick: () => void }) => (
  <button type="button" className="chip-remove" aria-label={`Remove alias ${alias}`} onClick={onClick}>
    ×
  </button>
);

/** The server's own words, and from how they change the speed and the time left. */
function ImportProgress({ message }: { message: string }) {
  const at = fetched(message);
  const first = useRef<{ done: number; when: number } | null>(null);
  const [rate, setRate] = useState(0);
  const done = at?.done;
  useEffect(() => {
    if (done === undefined) return;
    first.current ??= { done, when: Date.now() };
    const seconds = (Date.now() - first.current.when) / 1000;
    if (seconds > 2) setRate((done - first.current.done) / seconds);
  }, [done]);
  const left = at && rate > 0 ? `${bytes(rate)}/s, about ${duration(((at.total - at.done) / rate) * 1000)} left` : '';
  return (
    <Stack gap={4}>
      <Progress value={at ? (100 * at.done) / at.total : 100} animated aria-label="Import" />
      <Text size="sm" c="dimmed" role="status">
        {at ? `${bytes(at.done)} of ${bytes(at.total)}. ${left}` : message || 'Waiting for its files.'}
      </Text>
    </Stack>
  );
}

function Dialog({ name, asked, onClose }: { name: string; asked: Asked; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  if (asked.kind === 'alias') return <AliasDialog name={name} version={asked.version} onClose={onClose} />;
  const isModel = asked.kind === 'model';
  const run = async (): Promise<void> => {
    if (isModel) {
      await deleteModel(name);
      await navigate({ to: '/models' });
      client.removeQueries({ queryKey: ['models', name] });
    } else await deleteVersion(name, asked.version);
    await client.invalidateQueries({ queryKey: ['models'] });
    told(isModel ? `${name} was deleted.` : `Version ${asked.version} was deleted.`);
  };
  return (
    <Confirm title={isModel ? 'Delete this model?' : `Delete version ${asked.version}?`} action="Delete" {...(isModel ? { typed: name } : {})} run={run} onClose={onClose}>
      {isModel ? 'All its versions and their files go with it.' : 'Its files go with it.'} Endpoints that serve it cannot be started again.
    </Confirm>
  );
}

function AliasDialog({ name, version, onClose }: { name: string; version: number; onClose: () => void }) {
  const [alias, setName] = useState('');
  const [error, setError] = useState<unknown>(null);
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
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
          {error !== null && <ErrorPanel error={error} />}
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
