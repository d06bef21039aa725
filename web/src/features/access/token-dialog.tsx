import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { createToken, createTokenFor, nameOf, principalsQuery } from '@/api/people';
import { useUser } from '@/api/user';
import { ShownOnce } from '@/features/access/shown-once';
import { tokenRequest } from '@/features/access/token-rules';
import { ErrorPanel } from '@/ui/feedback';

const LIFETIMES = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'One year' },
  { value: '730', label: 'Two years' },
  { value: '', label: 'No end' },
];

/** Makes a token for oneself; an admin also for others. `owner` is whom it is for from the start. */
export function TokenDialog({ owner: given, onClose }: { owner?: string; onClose: () => void }) {
  const user = useUser();
  const [comment, setComment] = useState('');
  const [days, setDays] = useState('90');
  const [owner, setOwner] = useState(given ?? user.name);
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
  const submit = async (): Promise<void> => {
    setError(null);
    setBusy(true);
    const request = tokenRequest(comment, days);
    try {
      const token = await (owner === user.name ? createToken(request) : createTokenFor(owner, request));
      setMade(token.token_value);
      await client.invalidateQueries({ queryKey: ['tokens'] });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  if (made !== null)
    return (
      <ShownOnce title="The new token" value={made} label="token" onClose={onClose}>
        Whoever has it can do all that {owner === user.name ? 'you' : owner} may. It goes into OPENFM_TOKEN or DATABRICKS_TOKEN, or into the sign-in page.
      </ShownOnce>
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
          <TextInput label="Comment" description="What uses it" placeholder="nightly job" value={comment} onChange={(event) => setComment(event.currentTarget.value)} data-autofocus />
          <Select label="Lifetime" data={LIFETIMES} value={days} onChange={(value) => setDays(value ?? '')} allowDeselect={false} />
          {user.is_admin && <Owner value={owner} onChange={setOwner} />}
          {error !== null && <ErrorPanel error={error} title="No token was made" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Create
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Owner({ value, onChange }: { value: string; onChange: (owner: string) => void }) {
  const user = useUser();
  const users = useQuery(principalsQuery('Users')).data ?? [];
  const programs = useQuery(principalsQuery('ServicePrincipals')).data ?? [];
  const data = [
    { value: user.name, label: `${user.name} (you)` },
    ...users.filter((one) => one.userName !== user.name).map((one) => ({ value: nameOf(one), label: nameOf(one) })),
    ...programs.map((one) => ({ value: nameOf(one), label: `${one.displayName ?? ''} (service principal)` })),
  ];
  return <Select label="Owner" description="The token does what this user or service principal may" data={data} value={value} onChange={(chosen) => onChange(chosen ?? user.name)} searchable allowDeselect={false} />;
}
