import { ActionIcon, Badge, Button, Group, Menu, Text } from '@mantine/core';
import { IconCircleCheck, IconCircleOff, IconDots } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { deletePrincipal, type Kind, nameOf, type Principal, setActive } from '@/api/people';
import { useUser } from '@/api/user';
import { ClientSecrets } from '@/features/access/client-secrets';
import { isFixed, KINDS, titleOf } from '@/features/access/kinds';
import { Members } from '@/features/access/members';
import { TokenDialog } from '@/features/access/token-dialog';
import { Confirm } from '@/ui/confirm';
import { Copy } from '@/ui/copy';
import { told } from '@/ui/notify';
import { type Column, DataTable } from '@/ui/table';

type What = 'members' | 'token' | 'secrets' | 'activate' | 'deactivate' | 'delete';
type Ask = (what: What, one: Principal) => void;

const common: Column<Principal> = { key: 'name', title: 'Name', sort: titleOf, cell: (one) => <div className="breaks name-cell">{titleOf(one)}</div> };
const groups: Column<Principal> = { key: 'groups', title: 'Groups', cell: (one) => one.groups?.map((it) => it.display).join(', ') || '–' };
const state: Column<Principal> = { key: 'active', title: 'State', sort: (one) => (one.active === false ? 1 : 0), cell: (one) => <Active isActive={one.active !== false} /> };
const application: Column<Principal> = { key: 'app', title: 'Application id', cell: (one) => <ApplicationId id={one.applicationId ?? ''} /> };
const members: Column<Principal> = { key: 'members', title: 'Members', isNumber: true, sort: (one) => one.members?.length ?? 0, cell: (one) => one.members?.length ?? 0 };
const COLUMNS: Record<Kind, Column<Principal>[]> = { Users: [common, groups, state], Groups: [common, members], ServicePrincipals: [common, application, groups, state] };

export function PrincipalTable({ kind, found }: { kind: Kind; found: readonly Principal[] }) {
  const [asked, setAsked] = useState<{ what: What; id: string } | null>(null);
  const one = found.find((it) => it.id === asked?.id);
  const ask: Ask = (what, { id }) => setAsked({ what, id });
  const actions: Column<Principal> = { key: 'actions', title: 'Actions', cell: (it) => <Actions kind={kind} of={it} ask={ask} /> };
  return (
    <>
      <DataTable label={KINDS[kind].title} columns={[...COLUMNS[kind], actions]} rows={found} rowKey={(it) => it.id} initialSort={{ key: 'name', descending: false }} />
      {asked && one && <Dialog kind={kind} what={asked.what} one={one} onClose={() => setAsked(null)} />}
    </>
  );
}

function Active({ isActive }: { isActive: boolean }) {
  const Icon = isActive ? IconCircleCheck : IconCircleOff;
  return (
    <Badge color={isActive ? 'teal' : 'gray'} variant="light" className="badge" leftSection={<Icon size={13} aria-hidden />}>
      {isActive ? 'Active' : 'Deactivated'}
    </Badge>
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

function Actions({ kind, of: one, ask }: { kind: Kind; of: Principal; ask: Ask }) {
  const user = useUser();
  const isSelf = one.userName === user.name;
  const isActive = one.active !== false;
  const mayEnd = !isSelf && !isFixed(one);
  const first: [What, string] | null = kind === 'Groups' ? (one.displayName === 'users' ? null : ['members', 'Members']) : ['token', 'New token'];
  return (
    <Group gap={4} wrap="nowrap">
      {first && (first[0] !== 'token' || isActive) && (
        <Button size="xs" variant="subtle" onClick={() => ask(first[0], one)} aria-label={`${first[1]} of ${titleOf(one)}`}>
          {first[1]}
        </Button>
      )}
      {(mayEnd || kind === 'ServicePrincipals') && (
        <Menu position="bottom-end" withinPortal>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${titleOf(one)}`}>
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {kind === 'ServicePrincipals' && <Menu.Item onClick={() => ask('secrets', one)}>Client secrets</Menu.Item>}
            {kind !== 'Groups' && mayEnd && <Menu.Item onClick={() => ask(isActive ? 'deactivate' : 'activate', one)}>{isActive ? 'Deactivate' : 'Activate'}</Menu.Item>}
            {mayEnd && (
              <Menu.Item color="red" onClick={() => ask('delete', one)}>
                Delete
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}

function Dialog({ kind, what, one, onClose }: { kind: Kind; what: What; one: Principal; onClose: () => void }) {
  const client = useQueryClient();
  const done = async (run: Promise<unknown>, words: string): Promise<void> => {
    await run;
    await client.invalidateQueries({ queryKey: ['principals'] });
    told(words);
  };
  if (what === 'members') return <Members group={one} onClose={onClose} />;
  if (what === 'token') return <TokenDialog owner={nameOf(one)} onClose={onClose} />;
  if (what === 'secrets') return <ClientSecrets program={one} onClose={onClose} />;
  if (what === 'activate')
    return (
      <Confirm title={`Activate ${titleOf(one)}?`} action="Activate" onClose={onClose} run={() => done(setActive(kind, one.id, true), `${titleOf(one)} may come in again.`)}>
        Tokens that were not revoked meanwhile are good again.
      </Confirm>
    );
  if (what === 'deactivate')
    return (
      <Confirm title={`Deactivate ${titleOf(one)}?`} action="Deactivate" onClose={onClose} run={() => done(setActive(kind, one.id, false), `${titleOf(one)} is deactivated.`)}>
        All tokens are refused from the next request on, until somebody activates the {KINDS[kind].one} again.
      </Confirm>
    );
  return (
    <Confirm title={`Delete this ${KINDS[kind].one}?`} action="Delete" typed={titleOf(one)} onClose={onClose} run={() => done(deletePrincipal(kind, one.id), `${titleOf(one)} was deleted.`)}>
      {kind === 'Groups' ? 'Its members lose what it gave them.' : 'Its tokens and permissions go with it; its endpoints stay.'} What it used stays in the ledger.
    </Confirm>
  );
}
