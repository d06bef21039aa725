import { Badge, Button, Group, Stack, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconClockX, IconSearch } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { nameOf, principalsQuery, revokeAnyToken, revokeToken, type TokenInfo } from '@/api/people';
import { EditComment } from '@/features/access/token-comment';
import { daysLeft, standing } from '@/features/access/token-rules';
import { day } from '@/lib/format';
import { Confirm } from '@/ui/confirm';
import { Empty } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { type Column, DataTable } from '@/ui/table';
import { useNow } from '@/ui/time';

const FEW = 8;
const titleOf = (one: TokenInfo): string => one.comment || one.token_id.slice(0, 8);

/** The owners' names by their ids, for admins. */
function useOwners(isAsked: boolean): (one: TokenInfo) => string {
  const users = useQuery({ ...principalsQuery('Users'), enabled: isAsked }).data ?? [];
  const programs = useQuery({ ...principalsQuery('ServicePrincipals'), enabled: isAsked }).data ?? [];
  const names = new Map([...users, ...programs].map((one) => [one.id, one.userName ?? one.displayName ?? nameOf(one)]));
  return (one) => names.get(String(one.owner_id)) ?? one.created_by_username ?? '–';
}

export function TokenTable({ tokens, whose }: { tokens: readonly TokenInfo[]; whose: 'own' | 'all' }) {
  const isAll = whose === 'all';
  const [asked, ask] = useState<{ what: 'revoke' | 'comment'; token: TokenInfo } | null>(null);
  const [words, setWords] = useState('');
  const client = useQueryClient();
  const now = useNow(60_000);
  const owner = useOwners(isAll);
  const shown = tokens.filter((one) => `${one.comment} ${isAll ? owner(one) : ''}`.toLowerCase().includes(words.trim().toLowerCase()));
  const columns: Column<TokenInfo>[] = [
    { key: 'comment', title: 'Comment', sort: (one) => one.comment, cell: (one) => <div className="breaks name-cell">{one.comment || '–'}</div> },
    ...(isAll ? [{ key: 'owner', title: 'Owner', sort: owner, cell: owner }] : []),
    { key: 'created', title: 'Created', sort: (one) => one.creation_time, cell: (one) => <span className="number">{day(one.creation_time)}</span> },
    { key: 'ends', title: 'Ends', sort: (one) => (one.expiry_time < 0 ? Number.MAX_SAFE_INTEGER : one.expiry_time), cell: (one) => <Ends at={one.expiry_time} now={now} /> },
    { key: 'used', title: 'Last used', sort: (one) => one.last_used_day ?? 0, cell: (one) => <span className="number">{one.last_used_day ? day(one.last_used_day) : 'Never'}</span> },
    {
      key: 'actions',
      title: 'Actions',
      cell: (one) => (
        <Group gap={4} wrap="nowrap">
          <Button size="xs" variant="subtle" onClick={() => ask({ what: 'comment', token: one })} aria-label={`Edit the comment of ${titleOf(one)}`}>
            Edit
          </Button>
          <Button size="xs" variant="subtle" color="red" onClick={() => ask({ what: 'revoke', token: one })} aria-label={`Revoke ${titleOf(one)}`}>
            Revoke
          </Button>
        </Group>
      ),
    },
  ];
  const revoke = async (token: TokenInfo): Promise<void> => {
    await (isAll ? revokeAnyToken : revokeToken)(token.token_id);
    await client.invalidateQueries({ queryKey: ['tokens'] });
    told('The token is revoked.');
  };
  return (
    <Stack gap="sm">
      {tokens.length > FEW && <TextInput aria-label="Filter tokens" placeholder={isAll ? 'Comment or owner' : 'Comment'} leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} maw={320} />}
      {shown.length === 0 ? <Empty title="No token is like that">Change the filter.</Empty> : <DataTable label="Access tokens" columns={columns} rows={shown} rowKey={(one) => one.token_id} initialSort={{ key: 'created', descending: true }} />}
      {asked?.what === 'comment' && <EditComment token={asked.token} whose={whose} onClose={() => ask(null)} />}
      {asked?.what === 'revoke' && (
        <Confirm title="Revoke this token?" action="Revoke" onClose={() => ask(null)} run={() => revoke(asked.token)}>
          Whatever uses “{titleOf(asked.token)}” is refused from its next request on. This cannot be taken back.
        </Confirm>
      )}
    </Stack>
  );
}

function Ends({ at, now }: { at: number; now: number }) {
  const stands = standing(at, now);
  if (stands === 'lasting') return 'Never';
  if (stands === 'valid') return <span className="number">{day(at)}</span>;
  const isSoon = stands === 'soon';
  const Icon = isSoon ? IconAlertTriangle : IconClockX;
  return (
    <Badge color={isSoon ? 'yellow' : 'gray'} variant="light" className="badge" leftSection={<Icon size={13} aria-hidden />} title={day(at)}>
      {isSoon ? `Ends ${daysLeft(at, now)}` : `Ended ${day(at)}`}
    </Badge>
  );
}
