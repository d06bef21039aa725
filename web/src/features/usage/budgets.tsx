import { Badge, Button, Group, Paper, Progress, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconHandStop, IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { type Budget, budgetsQuery, deleteBudget } from '@/api/usage';
import { useUser } from '@/api/user';
import { BudgetDialog } from '@/features/usage/budget-dialog';
import { boundBy } from '@/features/usage/budget-rules';
import { rounded } from '@/lib/values';
import { money } from '@/lib/format';
import { Confirm } from '@/ui/confirm';
import { Empty, Loaded } from '@/ui/feedback';

const FULL = 100;
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' });
const EVERY_MS = 10_000;

/** How much may be spent, and how much of it is; admins set, others see those that bind them. */
export function Budgets() {
  const query = useQuery({ ...budgetsQuery, refetchInterval: EVERY_MS });
  const client = useQueryClient();
  const { is_admin: maySet } = useUser();
  const [edited, edit] = useState<Budget | 'new' | null>(null);
  const [removed, remove] = useState<Budget | null>(null);
  const button = maySet && (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => edit('new')}>
      Set a budget
    </Button>
  );
  return (
    <Stack>
      <Loaded query={query}>
        {(budgets) =>
          budgets.length === 0 ? (
            <Empty title="No budgets" action={button}>
              {maySet ? 'A budget tells you, or refuses requests, when a day or a month gets dear.' : 'No amount of money binds you: admins set them.'}
            </Empty>
          ) : (
            <>
              <Group justify="space-between">
                <Text size="sm" c="dimmed">
                  All budgets that cover a request bind it.
                </Text>
                {button}
              </Group>
              <ul className="cards" aria-label="Budgets" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
                {budgets.map((budget) => (
                  <li key={budget.name}>
                    <Card budget={budget} {...(maySet ? { onEdit: () => edit(budget), onRemove: () => remove(budget) } : {})} />
                  </li>
                ))}
              </ul>
            </>
          )
        }
      </Loaded>
      {edited !== null && <BudgetDialog budget={edited === 'new' ? null : edited} onClose={() => edit(null)} />}
      {removed && (
        <Confirm title={`Delete ${removed.name}?`} action="Delete" onClose={() => remove(null)} run={() => deleteBudget(removed.name).then(() => client.invalidateQueries({ queryKey: ['budgets'] }))}>
          Nobody is told, and nothing is refused, at its amount any more. What was spent stays in the ledger.
        </Confirm>
      )}
    </Stack>
  );
}

function Card({ budget, onEdit, onRemove }: { budget: Budget; onEdit?: () => void; onRemove?: () => void }) {
  const used = budget.percent ?? FULL;
  const stops = budget.action === 'stop';
  return (
    <Paper withBorder p="md" radius="md" h="100%">
      <Stack gap="xs" h="100%">
        <Group justify="space-between" align="flex-start" wrap="nowrap">
          <div>
            <Text component="h2" fw={600} m={0} className="breaks">
              {budget.name}
            </Text>
            <Text size="sm" c="dimmed" className="breaks">
              {boundBy(budget)}
            </Text>
          </div>
          <State used={used} stops={stops} alerted={budget.alerted_percent} />
        </Group>
        <Text className="number" size="lg" fw={600} style={{ whiteSpace: 'normal' }}>
          {money(rounded(budget.spent), budget.currency)}{' '}
          <Text span size="sm" c="dimmed" fw={400}>
            of {money(budget.amount, budget.currency)} a {budget.period}
          </Text>
        </Text>
        <Progress value={Math.min(used, FULL)} color={used >= FULL ? 'red' : budget.alerted_percent === undefined ? 'teal' : 'orange'} size="lg" aria-label={`${budget.name}: ${used} % used`} />
        <Text size="sm" style={{ flexGrow: 1 }}>
          {used} % used; {money(rounded(budget.left), budget.currency)} left until {day.format(Date.parse(budget.renews_at))}.{' '}
          {stops ? 'Then requests are refused.' : 'Nothing is refused.'}
          {budget.alerts?.length ? ` Alerts at ${budget.alerts.map((one) => `${one}\u00a0%`).join(', ')}.` : ''}
        </Text>
        {onEdit && onRemove && (
          <Group gap="xs">
            <Button size="xs" variant="default" onClick={onEdit} aria-label={`Change ${budget.name}`}>
              Change
            </Button>
            <Button size="xs" variant="subtle" color="red" onClick={onRemove} aria-label={`Delete ${budget.name}`}>
              Delete
            </Button>
          </Group>
        )}
      </Stack>
    </Paper>
  );
}

function State({ used, stops, alerted }: { used: number; stops: boolean; alerted: number | undefined }) {
  if (used >= FULL)
    return (
      <Badge color="red" variant="light" className="badge" leftSection={stops ? <IconHandStop size={13} aria-hidden /> : <IconAlertTriangle size={13} aria-hidden />}>
        {stops ? 'Used up: refusing' : 'Used up'}
      </Badge>
    );
  if (alerted === undefined) return null;
  return (
    <Badge color="orange" variant="light" className="badge" leftSection={<IconAlertTriangle size={13} aria-hidden />}>
      Passed {alerted} %
    </Badge>
  );
}
