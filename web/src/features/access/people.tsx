import { Button, Group, Stack, Tabs, Text, TextInput } from '@mantine/core';
import { IconPlus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import { type Kind, nameOf, principalsQuery } from '@/api/people';
import { useUser } from '@/api/user';
import { CreatePrincipal } from '@/features/access/create-principal';
import { isKind, KINDS } from '@/features/access/kinds';
import { PrincipalTable } from '@/features/access/principal-table';
import { Empty, Loaded } from '@/ui/feedback';
import { Page } from '@/ui/page';

const FEW = 8;

export function PeoplePage() {
  const user = useUser();
  const asked = useSearch({ from: '/people' }).tab;
  const navigate = useNavigate();
  const tab = isKind(asked) ? asked : 'Users';
  if (!user.is_admin)
    return (
      <Page title="Users and groups">
        <Empty title="Only admins change users and groups">Ask one of the group “admins” to do it for you.</Empty>
      </Page>
    );
  return (
    <Page title="Users and groups">
      <Tabs value={tab} onChange={(to) => void navigate({ to: '/people', search: to && to !== 'Users' ? { tab: to } : {}, replace: true })} keepMounted={false}>
        <Tabs.List mb="md">
          {Object.entries(KINDS).map(([kind, { title }]) => (
            <Tabs.Tab key={kind} value={kind}>
              {title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {Object.keys(KINDS)
          .filter(isKind)
          .map((kind) => (
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
  const [words, setWords] = useState('');
  const { one, words: about } = KINDS[kind];
  const add = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreates(true)}>
      Add a {one}
    </Button>
  );
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed" style={{ flex: '1 1 260px' }}>
          {about}
        </Text>
        {add}
      </Group>
      <Loaded query={query}>
        {(found) => {
          if (found.length === 0) return <Empty title={`No ${one}s yet`}>Add the first one.</Empty>;
          const shown = found.filter((it) => `${nameOf(it)} ${it.displayName ?? ''}`.toLowerCase().includes(words.trim().toLowerCase()));
          return (
            <>
              {found.length > FEW && <TextInput aria-label={`Filter ${one}s`} placeholder="Name" leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} maw={320} />}
              {shown.length === 0 ? <Empty title={`No ${one} is called that`}>Change the filter.</Empty> : <PrincipalTable kind={kind} found={shown} />}
            </>
          );
        }}
      </Loaded>
      {creates && <CreatePrincipal kind={kind} onClose={() => setCreates(false)} />}
    </Stack>
  );
}
