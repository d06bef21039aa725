import { ActionIcon, Button, Group, NumberInput, Paper, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { type Endpoint, type RateLimit, setRateLimits } from '@/api/endpoints';
import { Empty, ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

const KEYS = { endpoint: 'All callers together', user: 'Each user, or one', user_group: 'A group', service_principal: 'A service principal' };
type Draft = { key: string; principal: string; measure: 'calls' | 'tokens'; amount: number | string };

const draftOf = (limit: Record<string, unknown>): Draft => ({
  key: typeof limit.key === 'string' ? limit.key : 'endpoint',
  principal: typeof limit.principal === 'string' ? limit.principal : '',
  measure: typeof limit.tokens === 'number' ? 'tokens' : 'calls',
  amount: Number(limit.tokens ?? limit.calls ?? 0),
});

const limitOf = (draft: Draft): RateLimit => ({
  key: draft.key,
  renewal_period: 'minute',
  [draft.measure]: Number(draft.amount),
  ...(draft.principal ? { principal: draft.principal } : {}),
});

/** How much callers may use each minute. */
export function Limits({ endpoint }: { endpoint: Endpoint }) {
  const kept = (endpoint.rate_limits ?? []).map(draftOf);
  const [drafts, setDrafts] = useState(kept);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
  const canManage = endpoint.permission_level === 'CAN_MANAGE';
  const put = (index: number, change: Partial<Draft>): void => setDrafts((now) => now.map((one, at) => (at === index ? { ...one, ...change } : one)));
  const save = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await setRateLimits(endpoint.name, drafts.map(limitOf));
      await client.invalidateQueries({ queryKey: ['endpoints'] });
      told('The rate limits hold from now on.');
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        Requests above a limit get 429 and are told when to come back. Limits count over the last 60 seconds.
      </Text>
      {drafts.length === 0 && <Empty title="No rate limits">{canManage ? 'Callers may use as much as the hardware gives. Add a limit to share it out.' : 'Callers may use as much as the hardware gives.'}</Empty>}
      {drafts.map((draft, index) => (
        <Paper key={index} withBorder p="sm" radius="md">
          <Group align="flex-end">
            <Select label="For" data={Object.entries(KEYS).map(([value, label]) => ({ value, label }))} value={draft.key} onChange={(key) => put(index, { key: key ?? 'endpoint' })} allowDeselect={false} disabled={!canManage} />
            {draft.key !== 'endpoint' && (
              <TextInput label="Name" placeholder={draft.key === 'user' ? 'Each user has its own' : ''} value={draft.principal} onChange={(event) => put(index, { principal: event.currentTarget.value })} disabled={!canManage} />
            )}
            <NumberInput label="At most" min={0} value={draft.amount} onChange={(amount) => put(index, { amount })} disabled={!canManage} w={140} thousandSeparator="," />
            <Select label="Of what" data={[{ value: 'calls', label: 'requests a minute' }, { value: 'tokens', label: 'tokens a minute' }]} value={draft.measure} onChange={(measure) => put(index, { measure: measure === 'tokens' ? 'tokens' : 'calls' })} allowDeselect={false} disabled={!canManage} />
            {canManage && (
              <ActionIcon variant="subtle" color="red" size="lg" aria-label={`Remove limit ${index + 1}`} onClick={() => setDrafts((now) => now.filter((_, at) => at !== index))}>
                <IconTrash size={16} />
              </ActionIcon>
            )}
          </Group>
        </Paper>
      ))}
      {error !== null && <ErrorPanel error={error} title="The limits were not saved" />}
      {canManage && (
        <Group>
          <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setDrafts((now) => [...now, { key: 'endpoint', principal: '', measure: 'calls', amount: 60 }])}>
            Add a limit
          </Button>
          <Button onClick={() => void save()} loading={busy} disabled={JSON.stringify(drafts) === JSON.stringify(kept)}>
            Save
          </Button>
        </Group>
      )}
    </Stack>
  );
}
