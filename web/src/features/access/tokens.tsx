import { Badge, Button, Group, Modal, Select, Stack, Tabs, Text, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { allTokensQuery, createToken, createTokenFor, myTokensQuery, nameOf, principalsQuery, revokeAnyToken, revokeToken, type TokenInfo } from '@/api/people';
import { useUser } from '@/api/user';
import { day } from '@/lib/format';
import { Code } from '@/ui/code';
import { Confirm } from '@/ui/confirm';
import { Empty, ErrorPanel, Loaded } from '@/ui/feedback';
import { Page } from '@/ui/page';
import { type Column, DataTable } from '@/ui/table';
import { useNow } from '@/ui/time';

const SOON_MS = 14 * 86_400_000;
const LIFETIMES = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'One year' },
  { value: '730', label: 'Two years' },
  { value: '', label: 'No end' },
];

export function TokensPage() {
  const user = useUser();
  const [creates, setCreates] = useState(false);
  return (
    <Page
      title="Access tokens"
      subtitle="Programs call endpoints with an access token. It stands for its owner, with all the owner’s permissions."
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreates(true)}>
          Create a token
        </Button>
      }
    >
      {user.is_admin ? (
        <Tabs defaultValue="own" keepMounted={false}>
          <Tabs.List mb="md">
            <Tabs.Tab value="own">Yours</Tabs.Tab>
            <Tabs.Tab value="all">Everybody&apos;s</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="own">
            <OwnTokens />
          </Tabs.Panel>
          <Tabs.Panel value="all">
            <AllTokens />
          </Tabs.Panel>
        </Tabs>
      ) : (
        <OwnTokens />
      )}
      {creates && <CreateDialog onClose={() => setCreates(false)} />}
    </Page>
  );
}

function OwnTokens() {
  const query = useQuery(myTokensQuery);
  return <Loaded query={query}>{(tokens) => <TokenTable tokens={tokens} revoke={revokeToken} />}</Loaded>;
}

function AllTokens() {
  const query = useQuery(allTokensQuery);
  return <Loaded query={query}>{(tokens) => <TokenTable tokens={tokens} revoke={revokeAnyToken} isAll />}</Loaded>;
}

function TokenTable({ tokens, revoke, isAll = false }: { tokens: readonly TokenInfo[]; revoke: (id: string) => Promise<unknown>; isAll?: boolean }) {
  const [asked, ask] = useState<TokenInfo | null>(null);
  const client = useQueryClient();
  const now = useNow(60_000);
  if (tokens.length === 0)
    return <Empty title="No tokens yet">Create one for each program that calls an endpoint, so that each can be revoked by itself.</Empty>;
  const columns: Column<TokenInfo>[] = [
    { key: 'comment', title: 'Comment', sort: (one) => one.comment, cell: (one) => one.comment || '–' },
    ...(isAll ? [{ key: 'by', title: 'Created by', sort: (one: TokenInfo) => one.created_by_username ?? '', cell: (one: TokenInfo) => one.created_by_username ?? '–' }] : []),
    { key: 'created', title: 'Created', sort: (one) => one.creation_time, cell: (one) => day(one.creation_time) },
    { key: 'ends', title: 'Ends', sort: (one) => (one.expiry_time < 0 ? Number.MAX_SAFE_INTEGER : one.expiry_time), cell: (one) => <Ends at={one.expiry_time} now={now} /> },
    ...(isAll ? [{ key: 'used', title: 'Last used', sort: (one: TokenInfo) => one.last_used_day ?? 0, cell: (one: TokenInfo) => (one.last_used_day ? day(one.last_used_day) : 'Never') }] : []),
    {
      key: 'revoke',
      title: 'Actions',
      cell: (one) => (
        <Button size="xs" variant="subtle" color="red" onClick={() => ask(one)} aria-label={`Revoke ${one.comment || one.token_id}`}>
          Revoke
        </Button>
      ),
    },
  ];
  return (
    <>
      <DataTable label="Access tokens" columns={columns} rows={tokens} rowKey={(one) => one.token_id} initialSort={{ key: 'created', descending: true }} />
      {asked && (
        <Confirm title="Revoke this token?" action="Revoke" onClose={() => ask(null)} run={() => revoke(asked.token_id).then(() => client.invalidateQueries({ queryKey: ['tokens'] }))}>
          Whatever uses “{asked.comment || asked.token_id}” is refused from its next request on. This cannot be taken back.
        </Confirm>
      )}
    </>
  );
}

function Ends({ at, now }: { at: number; now: number }) {
  if (at < 0) return 'Never';
  if (at <= now)
    return (
      <Badge color="gray" variant="light" className="badge">
        Ended {day(at)}
      </Badge>
    );
  if (at - now < SOON_MS)
    return (
      <Badge color="yellow" variant="light" className="badge">
        Soon: {day(at)}
      </Badge>
    );
  return day(at);
}

function CreateDialog({ onClose }: { onClose: () => void }) {
  const user = useUser();
  const [comment, setComment] = useState('');
  const [days, setDays] = useState('90');
  const [owner, setOwner] = useState<string | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
    setError(null);
    const request = { comment, ...(days ? { lifetime_seconds: Number(days) * 86_400 } : {}) };
    try {
      const token = await (owner ? createTokenFor(owner, request) : createToken(request));
      setMade(token.token_value);
      await client.invalidateQueries({ queryKey: ['tokens'] });
    } catch (problem) {
      setError(problem);
    }
  };
  if (made !== null)
    return (
      <Modal opened onClose={onClose} title="The new token" closeOnClickOutside={false}>
        <Stack>
          <Text size="sm">Copy it now: it is shown this once. Whoever has it can do all that its owner may.</Text>
          <Code text={made} label="token" />
          <Group justify="flex-end">
            <Button onClick={onClose} data-autofocus>
              Done
            </Button>
          </Group>
        </Stack>
      </Modal>
    );
  return (
    <Modal opened onClose={onClose} title="Create a token">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Stack>
          <TextInput label="Comment" description="What uses it" value={comment} onChange={(event) => setComment(event.currentTarget.value)} data-autofocus />
          <Select label="Lifetime" data={LIFETIMES} value={days} onChange={(value) => setDays(value ?? '')} allowDeselect={false} />
          {user.is_admin && <OwnerSelect value={owner} onChange={setOwner} />}
          {error !== null && <ErrorPanel error={error} title="No token was made" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit">Create</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function OwnerSelect({ value, onChange }: { value: string | null; onChange: (value: string | null) => void }) {
  const user = useUser();
  const users = useQuery(principalsQuery('Users')).data ?? [];
  const programs = useQuery(principalsQuery('ServicePrincipals')).data ?? [];
  const data = [
    ...users.filter((one) => nameOf(one) !== user.name).map((one) => ({ value: nameOf(one), label: nameOf(one) })),
    ...programs.map((one) => ({ value: one.applicationId ?? '', label: `${one.displayName ?? ''} (service principal)` })),
  ];
  return <Select label="Owner" description="Whom the token stands for" placeholder="You" data={data} value={value} onChange={onChange} clearable searchable clearButtonProps={{ 'aria-label': 'You' }} />;
}
