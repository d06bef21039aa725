import { ActionIcon, Alert, Autocomplete, Button, Group, Select, Stack, Text } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Endpoint } from '@/api/endpoints';
import { type AccessEntry, type Grant, type Level, nameOf, permissionsQuery, principalsQuery, setPermissions } from '@/api/people';
import { ErrorPanel, Loaded } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { type Column, DataTable } from '@/ui/table';

const LEVELS = [
  { value: 'CAN_VIEW', label: 'Can view' },
  { value: 'CAN_QUERY', label: 'Can query' },
  { value: 'CAN_MANAGE', label: 'Can manage' },
];
const nameIn = (entry: AccessEntry): string => entry.user_name ?? entry.group_name ?? entry.service_principal_name ?? '';
const kindIn = (entry: AccessEntry): string => (entry.user_name ? 'User' : entry.group_name ? 'Group' : 'Service principal');
const ownLevel = (entry: AccessEntry): Level | undefined => entry.all_permissions.find((one) => !one.inherited)?.permission_level;

const grantOf = (entry: AccessEntry, level: Level): Grant => ({
  ...(entry.user_name ? { user_name: entry.user_name } : {}),
  ...(entry.group_name ? { group_name: entry.group_name } : {}),
  ...(entry.service_principal_name ? { service_principal_name: entry.service_principal_name } : {}),
  permission_level: level,
});

const grantsOf = (entries: readonly AccessEntry[]): Grant[] =>
  entries.flatMap((entry) => {
    const level = ownLevel(entry);
    return level ? [grantOf(entry, level)] : [];
  });

/** Who may see, query and manage the endpoint. */
export function Permissions({ endpoint }: { endpoint: Endpoint }) {
  const query = useQuery(permissionsQuery(endpoint.id));
  if (endpoint.endpoint_type === 'FOUNDATION_MODEL_API')
    return (
      <Alert color="gray" title="Pay-per-token endpoints are for everybody">
        Every user of this workspace may query them; how much is set by limits and budgets. Create an endpoint of your own to share it with some only.
      </Alert>
    );
  return <Loaded query={query}>{(entries) => <Entries endpoint={endpoint} entries={entries} />}</Loaded>;
}

function Entries({ endpoint, entries }: { endpoint: Endpoint; entries: readonly AccessEntry[] }) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const canManage = endpoint.permission_level === 'CAN_MANAGE';
  const save = async (grants: Grant[]): Promise<boolean> => {
    setError(null);
    try {
      await setPermissions(endpoint.id, grants);
      await client.invalidateQueries({ queryKey: ['permissions', endpoint.id] });
      told('The permissions hold from now on.');
      return true;
    } catch (problem) {
      setError(problem);
      return false;
    }
  };
  const change = (entry: AccessEntry, level: Level | null): void => {
    const others = grantsOf(entries.filter((one) => one !== entry));
    void save(level ? [...others, grantOf(entry, level)] : others);
  };
  const columns: Column<AccessEntry>[] = [
    { key: 'name', title: 'Name', cell: (entry) => nameIn(entry), sort: nameIn },
    { key: 'kind', title: 'Kind', cell: kindIn, sort: kindIn },
    {
      key: 'level',
      title: 'Permission',
      cell: (entry) => {
        const level = ownLevel(entry);
        if (!level) return 'Can manage (inherited)';
        if (!canManage) return LEVELS.find((one) => one.value === level)?.label;
        return (
          <Select size="xs" aria-label={`Permission of ${nameIn(entry)}`} data={LEVELS} value={level} onChange={(chosen) => change(entry, chosen as Level)} allowDeselect={false} w={150} />
        );
      },
    },
    {
      key: 'remove',
      title: 'Remove',
      cell: (entry) =>
        canManage && ownLevel(entry) ? (
          <ActionIcon variant="subtle" color="red" aria-label={`Remove ${nameIn(entry)}`} onClick={() => change(entry, null)}>
            <IconTrash size={16} />
          </ActionIcon>
        ) : null,
    },
  ];
  return (
    <Stack>
      {canManage && <AddEntry add={(grant) => save([...grantsOf(entries), grant])} />}
      {error !== null && <ErrorPanel error={error} title="The permissions were not changed" />}
      <DataTable label="Permissions" columns={columns} rows={entries} rowKey={nameIn} />
    </Stack>
  );
}

function AddEntry({ add }: { add: (grant: Grant) => Promise<boolean> }) {
  const users = useQuery(principalsQuery('Users')).data ?? [];
  const groups = useQuery(principalsQuery('Groups')).data ?? [];
  const programs = useQuery(principalsQuery('ServicePrincipals')).data ?? [];
  const [name, setName] = useState('');
  const [level, setLevel] = useState<Level>('CAN_QUERY');
  const labels = new Map<string, Grant>([
    ...users.map((one): [string, Grant] => [nameOf(one), { user_name: nameOf(one), permission_level: level }]),
    ...groups.map((one): [string, Grant] => [`${nameOf(one)} (group)`, { group_name: one.displayName ?? '', permission_level: level }]),
    ...programs.map((one): [string, Grant] => [`${one.displayName ?? ''} (service principal)`, { service_principal_name: one.applicationId ?? '', permission_level: level }]),
  ]);
  const grant = labels.get(name);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (grant) void add(grant).then((done) => done && setName(''));
      }}
    >
      <Group align="flex-end">
        <Autocomplete label="User, group or service principal" placeholder="Type a name" data={[...labels.keys()]} value={name} onChange={setName} w={300} maw="100%" limit={50} />
        <Select label="Permission" data={LEVELS} value={level} onChange={(chosen) => setLevel((chosen ?? 'CAN_QUERY') as Level)} allowDeselect={false} w={150} />
        <Button type="submit" disabled={!grant}>
          Add
        </Button>
        {name !== '' && !grant && (
          <Text size="sm" c="dimmed" pb={8}>
            Choose somebody from the list.
          </Text>
        )}
      </Group>
    </form>
  );
}
