import { ActionIcon, Button, Group, NumberInput, Paper, Select, Stack } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';

import { type LimitDraft, NEW_LIMIT } from '@/lib/rate-limits';
import { KIND_OF, PrincipalSelect } from '@/parts/principal-select';

const KEYS = Object.entries({ endpoint: 'All callers together', user: 'Each user, or one', user_group: 'A group', service_principal: 'A service principal' }).map(([value, label]) => ({ value, label }));
const MEASURES = [
  { value: 'calls', label: 'requests a minute' },
  { value: 'tokens', label: 'tokens a minute' },
];

type LimitsProps = { drafts: readonly LimitDraft[]; onChange: (drafts: LimitDraft[]) => void; /** Beside the button that adds one. */ children?: ReactNode };

/** Rate limits to write: for whom, how much, of what. */
export function RateLimits({ drafts, onChange, children }: LimitsProps) {
  const put = (index: number, change: Partial<LimitDraft>): void => onChange(drafts.map((one, at) => (at === index ? { ...one, ...change } : one)));
  return (
    <Stack>
      {drafts.map((draft, index) => (
        <Paper key={index} withBorder p="sm" radius="md">
          <Group align="flex-end">
            <Select label="For" data={KEYS} value={draft.key} onChange={(key) => put(index, { key: key ?? 'endpoint', principal: '' })} allowDeselect={false} />
            {KIND_OF[draft.key] && (
              <PrincipalSelect label="Whose" kind={KIND_OF[draft.key] ?? 'Users'} empty={draft.key === 'user' ? 'Each user has its own' : undefined} value={draft.principal} onChange={(principal) => put(index, { principal })} />
            )}
            <NumberInput label="At most" min={0} value={draft.amount} onChange={(amount) => put(index, { amount })} w={140} thousandSeparator="," />
            <Select label="Of what" data={MEASURES} value={draft.measure} onChange={(measure) => put(index, { measure: measure === 'tokens' ? 'tokens' : 'calls' })} allowDeselect={false} />
            <ActionIcon variant="subtle" color="red" size="lg" aria-label={`Remove limit ${index + 1}`} onClick={() => onChange(drafts.filter((_, at) => at !== index))}>
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        </Paper>
      ))}
      <Group>
        <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => onChange([...drafts, NEW_LIMIT])}>
          Add a limit
        </Button>
        {children}
      </Group>
    </Stack>
  );
}
