import { Button, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { type Endpoint, setRateLimits } from '@/api/endpoints';
import { limitDraftOf, limitOf } from '@/lib/rate-limits';
import { Empty, ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';
import { RateLimits } from '@/parts/rate-limits';

/** How much callers may use each minute. */
export function Limits({ endpoint }: { endpoint: Endpoint }) {
  const kept = (endpoint.rate_limits ?? []).map(limitDraftOf);
  const [drafts, setDrafts] = useState(kept);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
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
      {drafts.length === 0 && <Empty title="No rate limits">Callers may use as much as the hardware gives. Add a limit to share it out.</Empty>}
      {error !== null && <ErrorPanel error={error} title="The limits were not saved" />}
      <RateLimits drafts={drafts} onChange={setDrafts}>
        <Button onClick={() => void save()} loading={busy} disabled={JSON.stringify(drafts) === JSON.stringify(kept)}>
          Save
        </Button>
      </RateLimits>
    </Stack>
  );
}
