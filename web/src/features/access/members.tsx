import { Button, Group, Modal, Select, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { addMember, type Principal, principalsQuery, removeMember } from '@/api/people';
import { candidates, titleOf } from '@/features/access/kinds';
import { ErrorPanel } from '@/ui/feedback';

const ADMIN = 'admin'; // stays in admins, says the server

/** Who is in a group; each change holds at once. */
export function Members({ group, onClose }: { group: Principal; onClose: () => void }) {
  const client = useQueryClient();
  const users = useQuery(principalsQuery('Users')).data ?? [];
  const programs = useQuery(principalsQuery('ServicePrincipals')).data ?? [];
  const groups = useQuery(principalsQuery('Groups')).data ?? [];
  const [error, setError] = useState<unknown>(null);
  const change = async (run: Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await run;
      await client.invalidateQueries({ queryKey: ['principals'] });
    } catch (problem) {
      setError(problem);
    }
  };
  const data = [
    { group: 'Users', items: users },
    { group: 'Service principals', items: programs },
    { group: 'Groups', items: groups },
  ].map(({ group: title, items }) => ({ group: title, items: candidates(group, items).map((one) => ({ value: one.id, label: titleOf(one) })) }));
  const members = group.members ?? [];
  return (
    <Modal opened onClose={onClose} title={`Members of ${titleOf(group)}`}>
      <Stack>
        <Select label="Add" placeholder="Type a name" data={data} value={null} onChange={(id) => id && void change(addMember(group.id, id))} searchable nothingFoundMessage="Nobody is called that" data-autofocus />
        {group.displayName === 'admins' && (
          <Text size="sm" c="dimmed">
            Members may do everything, also change who is a member.
          </Text>
        )}
        {error !== null && <ErrorPanel error={error} title="The members were not changed" />}
        {members.length === 0 && <Text size="sm">Nobody is in it yet.</Text>}
        {members.map((one) => {
          const name = one.display ?? one.value;
          return (
            <Group key={one.value} justify="space-between" wrap="nowrap">
              <Text size="sm" className="breaks">
                {name}
              </Text>
              {!(group.displayName === 'admins' && name === ADMIN) && (
                <Button size="xs" variant="subtle" color="red" onClick={() => void change(removeMember(group.id, one.value))} aria-label={`Remove ${name}`}>
                  Remove
                </Button>
              )}
            </Group>
          );
        })}
      </Stack>
    </Modal>
  );
}
