import { Button, Group, Modal, Select, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { clientSecretsQuery, createClientSecret, deleteClientSecret } from '@/api/client-secrets';
import type { Principal } from '@/api/people';
import { titleOf } from '@/features/access/kinds';
import { ShownOnce } from '@/features/access/shown-once';
import { day } from '@/lib/format';
import { ErrorPanel, Loaded } from '@/ui/feedback';

const LIFETIMES = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'One year' },
  { value: '730', label: 'Two years' },
];

/** With its application id and a secret, a program gets access tokens of an hour by itself. */
export function ClientSecrets({ program, onClose }: { program: Principal; onClose: () => void }) {
  const query = useQuery(clientSecretsQuery(program.id));
  const client = useQueryClient();
  const [days, setDays] = useState('90');
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const change = async (run: () => Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await run();
      await client.invalidateQueries({ queryKey: ['client-secrets'] });
    } catch (problem) {
      setError(problem);
    }
  };
  if (made !== null)
    return (
      <ShownOnce title="The new client secret" value={made} label="client secret" onClose={() => setMade(null)}>
        It goes into DATABRICKS_CLIENT_SECRET, beside DATABRICKS_CLIENT_ID, the application id {program.applicationId}.
      </ShownOnce>
    );
  return (
    <Modal opened onClose={onClose} title={`Client secrets of ${titleOf(program)}`}>
      <Stack>
        <Group align="flex-end">
          <Select label="Lifetime" data={LIFETIMES} value={days} onChange={(value) => setDays(value ?? '90')} allowDeselect={false} w={160} />
          <Button onClick={() => void change(() => createClientSecret(program.id, Number(days)).then(setMade))}>Create a secret</Button>
        </Group>
        {error !== null && <ErrorPanel error={error} />}
        <Loaded query={query} lines={1}>
          {(secrets) =>
            secrets.length === 0 ? (
              <Text size="sm">It has none yet.</Text>
            ) : (
              secrets.map((one) => (
                <Group key={one.id} justify="space-between" wrap="nowrap">
                  <Text size="sm">
                    Made {day(Date.parse(one.create_time))}
                    {one.expire_time && `, ends ${day(Date.parse(one.expire_time))}`}
                  </Text>
                  <Button size="xs" variant="subtle" color="red" onClick={() => void change(() => deleteClientSecret(program.id, one.id))} aria-label={`Delete the secret made ${day(Date.parse(one.create_time))}`}>
                    Delete
                  </Button>
                </Group>
              ))
            )
          }
        </Loaded>
        <Text size="xs" c="dimmed">
          Deleting a secret also ends the access tokens that it brought.
        </Text>
      </Stack>
    </Modal>
  );
}
