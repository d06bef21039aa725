import { Badge, Button, Group, Modal, Select, Stack, Tabs, Text, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { addMember, createPrincipal, deletePrincipal, type Kind, nameOf, type Principal, principalsQuery, removeMember } from '@/api/people';
import { useUser } from '@/api/user';
import { Confirm } from '@/ui/confirm';
import { Copy } from '@/ui/copy';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { Page } from '@/ui/page';
import { type Column, DataTable } from '@/ui/table';

const KINDS: Record<Kind, { title: string; one: string; field: string; hint: string; words: string }> = {
  Users: { title: 'Users', one: 'user', field: 'User name', hint: 'ann@example.com', words: 'People. Each signs in with an access token that you make for them.' },
  Groups: { title: 'Groups', one: 'group', field: 'Name', hint: 'data-team', words: 'Users and service principals that share permissions, limits and budgets. Members of admins may do everything.' },
  ServicePrincipals: { title: 'Service principals', one: 'service principal', field: 'Name', hint: 'nightly-job', words: 'Programs with an identity of their own.' },
};

export function PeoplePage() {
  return (
    <Page title="Users and groups">
      <Tabs defaultValue="Users" keepMounted={false}>
        <Tabs.List mb="md">
          {Object.entries(KINDS).map(([kind, { title }]) => (
            <Tabs.Tab key={kind} value={kind}>
              {title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {(Object.keys(KINDS) as Kind[]).map((kind) => (
          <Tabs.Panel key={kind} value={kind}>
            <Principals kind={kind} />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}

function Principals({ kind }: { kind: Kind }) {
  const query = useQuery(principalsQuery(kind));
  const [creates, setCreates] = useState(false);
  const { one, words } = KINDS[kind];
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed" style={{ flex: '1 1 260px' }}>
          {words}
        </Text>
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreates(true)}>
          Add a {one}
        </Button>
      </Group>
      <Loaded query={query}>{(found) => (found.length === 0 ? <Empty title={`No ${one}s yet`}>Add the first one.</Empty> : <PrincipalTable kind={kind} found={found} />)}</Loaded>
      {creates && <CreateDialog kind={kind} onClose={() => setCreates(false)} />}
    </Stack>
  );
}

function PrincipalTable({ kind, found }: { kind: Kind; found: readonly Principal[] }) {
  const user = useUser();
  const client = useQueryClient();
  const [asked, ask] = useState<Principal | null>(null);
  const [groupId, openGroup] = useState<string | null>(null);
  const group = found.find((one) => one.id === groupId);
  const title = (one: Principal): string => one.displayName ?? nameOf(one);
  const columns: Column<Principal>[] = [
    { key: 'name', title: 'Name', sort: title, cell: title },
    ...(kind === 'Users' ? [{ key: 'user', title: 'User name', sort: nameOf, cell: nameOf }] : []),
    ...(kind === 'ServicePrincipals' ? [{ key: 'app', title: 'Application id', cell: (one: Principal) => <ApplicationId id={one.applicationId ?? ''} /> }] : []),
    kind === 'Groups'
      ? { key: 'members', title: 'Members', isNumber: true, sort: (one: Principal) => one.members?.length ?? 0, cell: (one: Principal) => one.members?.length ?? 0 }
      : { key: 'groups', title: 'Groups', cell: (one: Principal) => one.groups?.map((it) => it.display).join(', ') || '–' },
    ...(kind === 'Groups'
      ? []
      : [
          {
            key: 'active',
            title: 'State',
            cell: (one: Principal) => (
              <Badge color={one.active === false ? 'gray' : 'teal'} variant="light" className="badge">
                {one.active === false ? 'Deactivated' : 'Active'}
              </Badge>
            ),
          },
        ]),
    {
      key: 'actions',
      title: 'Actions',
      cell: (one) => (
        <Group gap="xs" wrap="nowrap">
          {kind === 'Groups' && one.displayName !== 'users' && (
            <Button size="xs" variant="subtle" onClick={() => openGroup(one.id)} aria-label={`Members of ${title(one)}`}>
              Members
            </Button>
          )}
          {one.userName !== user.name && !['admins', 'users', 'admin'].includes(nameOf(one)) && (
            <Button size="xs" variant="subtle" color="red" onClick={() => ask(one)} aria-label={`Delete ${title(one)}`}>
              Delete
            </Button>
          )}
        </Group>
      ),
    },
  ];
  return (
    <>
      <DataTable label={KINDS[kind].title} columns={columns} rows={found} rowKey={(one) => one.id} />
      {asked && (
        <Confirm title={`Delete this ${KINDS[kind].one}?`} action="Delete" typed={nameOf(asked)} onClose={() => ask(null)} run={() => deletePrincipal(kind, asked.id).then(() => client.invalidateQueries({ queryKey: ['principals'] }))}>
          {kind === 'Groups' ? 'Its members lose what it gave them.' : 'Its tokens and permissions go with it.'} What it used stays in the ledger.
        </Confirm>
      )}
      {group && <MembersDialog group={group} onClose={() => openGroup(null)} />}
    </>
  );
}

const ApplicationId = ({ id }: { id: string }) => (
  <Group gap={4} wrap="nowrap">
    <Text size="xs" ff="monospace">
      {id}
    </Text>
    <Copy value={id} label="Copy the application id" />
  </Group>
);

function CreateDialog({ kind, onClose }: { kind: Kind; onClose: () => void }) {
  const { one, field, hint } = KINDS[kind];
  const [name, setName] = useState('');
  const [error, setError] = useState<unknown>(null);
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
    try {
      await createPrincipal(kind, name);
      await client.invalidateQueries({ queryKey: ['principals'] });
      told(`${name} was added.`);
      onClose();
    } catch (problem) {
      setError(problem);
    }
  };
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
          {error !== null && <ErrorPanel error={error} title={`The ${one} was not added`} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit">Add</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function MembersDialog({ group, onClose }: { group: Principal; onClose: () => void }) {
  const client = useQueryClient();
  const users = useQuery(principalsQuery('Users')).data ?? [];
  const programs = useQuery(principalsQuery('ServicePrincipals')).data ?? [];
  const [error, setError] = useState<unknown>(null);
  const members = new Set(group.members?.map((one) => one.value));
  const change = async (run: Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await run;
      await client.invalidateQueries({ queryKey: ['principals'] });
    } catch (problem) {
      setError(problem);
    }
  };
  const others = [...users, ...programs].filter((one) => !members.has(one.id)).map((one) => ({ value: one.id, label: one.displayName ?? nameOf(one) }));
  return (
    <Modal opened onClose={onClose} title={`Members of ${group.displayName ?? ''}`}>
      <Stack>
        <Select label="Add" placeholder="Type a name" data={others} value={null} onChange={(id) => id && void change(addMember(group.id, id))} searchable />
        {error !== null && <ErrorPanel error={error} title="The members were not changed" />}
        {members.size === 0 && <Text size="sm">Nobody is in it yet.</Text>}
        {group.members?.map((one) => (
          <Group key={one.value} justify="space-between">
            <Text size="sm">{one.display ?? one.value}</Text>
            <Button size="xs" variant="subtle" color="red" onClick={() => void change(removeMember(group.id, one.value))} aria-label={`Remove ${one.display ?? one.value}`}>
              Remove
            </Button>
          </Group>
        ))}
      </Stack>
    </Modal>
  );
}
