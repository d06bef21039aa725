import { ActionIcon, Alert, Autocomplete, Button, Checkbox, Group, Stack, Text } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { changeModelGrant, type ModelGrant, modelGrantsQuery } from '@/api/model-grants';
import type { Model } from '@/api/models';
import { nameOf, principalsQuery } from '@/api/people';
import { comesWithOpenfm, EVERYBODY, isEverybody } from '@/features/models/rights';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';

const WORDS: Record<string, string> = { EXECUTE: 'Can use', MANAGE: 'Can manage' };
const isKnown = (privilege: string): boolean => privilege in WORDS;
const shownName = (principal: string): string => (isEverybody(principal) ? 'Everybody' : principal);

/** Who may use the model in an endpoint, and who may change it. */
export function ModelPermissions({ model, canManage }: { model: Model; canManage: boolean }) {
  const grants = useQuery(modelGrantsQuery(model.full_name));
  if (comesWithOpenfm(model))
    return (
      <Alert color="gray" title="It comes with openfm">
        Everybody may use it, nobody change it.
      </Alert>
    );
  return <Loaded query={grants}>{(found) => <Grants model={model} grants={found} canManage={canManage} />}</Loaded>;
}

function Grants({ model, grants, canManage }: { model: Model; grants: readonly ModelGrant[]; canManage: boolean }) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const change = async (principal: string, what: { add?: string[]; remove?: string[] }): Promise<void> => {
    setError(null);
    try {
      await changeModelGrant(model.full_name, principal, what);
      await client.invalidateQueries({ queryKey: ['models', model.full_name, 'grants'] });
    } catch (problem) {
      setError(problem);
    }
  };
  const columns: Column<ModelGrant>[] = [
    { key: 'name', title: 'Name', sort: (one) => one.principal, cell: (one) => <div className="breaks name-cell">{shownName(one.principal)}</div> },
    ...Object.entries(WORDS).map(([privilege, title]) => ({
      key: privilege,
      title,
      cell: (one: ModelGrant) => {
        const has = one.privileges.includes(privilege);
        if (!canManage) return has ? 'Yes' : '–';
        return <Checkbox checked={has} aria-label={`${shownName(one.principal)}: ${title.toLowerCase()}`} onChange={() => void change(one.principal, has ? { remove: [privilege] } : { add: [privilege] })} />;
      },
    })),
    ...(canManage
      ? [
          {
            key: 'remove',
            title: 'Remove',
            cell: (one: ModelGrant) => (
              <ActionIcon variant="subtle" color="red" aria-label={`Remove ${shownName(one.principal)}`} onClick={() => void change(one.principal, { remove: one.privileges.filter(isKnown) })}>
                <IconTrash size={16} />
              </ActionIcon>
            ),
          },
        ]
      : []),
  ];
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {model.owner} owns it and may do all with it, and so may admins. Who can use it may serve it; who can manage it may import versions, set aliases and delete it.
      </Text>
      {canManage && <AddGrant add={(principal) => change(principal, { add: ['EXECUTE'] })} taken={grants.map((one) => one.principal)} />}
      {error !== null && <ErrorPanel error={error} title="The permissions were not changed" />}
      {grants.length === 0 ? <Empty title="Nobody else may use it">Add a user, a group or a service principal.</Empty> : <DataTable label="Permissions" columns={columns} rows={grants} rowKey={(one) => one.principal} />}
    </Stack>
  );
}

function AddGrant({ add, taken }: { add: (principal: string) => Promise<void>; taken: readonly string[] }) {
  const users = useQuery(principalsQuery('Users')).data ?? [];
  const groups = useQuery(principalsQuery('Groups')).data ?? [];
  const programs = useQuery(principalsQuery('ServicePrincipals')).data ?? [];
  const [typed, type] = useState('');
  const labels = new Map<string, string>([
    ['Everybody', EVERYBODY],
    ...groups.filter((one) => one.displayName !== 'users').map((one): [string, string] => [`${nameOf(one)} (group)`, nameOf(one)]),
    ...users.map((one): [string, string] => [nameOf(one), nameOf(one)]),
    ...programs.map((one): [string, string] => [`${one.displayName ?? ''} (service principal)`, nameOf(one)]),
  ]);
  const principal = labels.get(typed);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (principal) void add(principal).then(() => type(''));
      }}
    >
      <Group align="flex-end">
        <Autocomplete label="Let somebody use it" placeholder="User, group or service principal" data={[...labels].filter(([, name]) => !taken.includes(name)).map(([label]) => label)} value={typed} onChange={type} w={320} maw="100%" limit={50} />
        <Button type="submit" disabled={!principal}>
          Add
        </Button>
      </Group>
    </form>
  );
}
