import { Alert } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';

import { isAlive } from '@/lib/alive';
import { told } from '@/ui/notify';

const ALIVE_MS = 10_000;
const GONE_MS = 2_000;

/** Says that the server is gone, and asks for everything again once it is back. */
export function ConnectionNotice() {
  const client = useQueryClient();
  const alive = useQuery({
    queryKey: ['alive'],
    queryFn: ({ signal }) => isAlive(signal),
    refetchInterval: (query) => (query.state.data === false ? GONE_MS : ALIVE_MS),
  });
  const isGone = alive.data === false;
  const wasGone = useRef(false);
  useEffect(() => {
    if (wasGone.current && !isGone) {
      void client.invalidateQueries();
      told('The server answers again.');
    }
    wasGone.current = isGone;
  }, [isGone, client]);
  // The region is there before its words are: what comes together with them is not read out.
  return (
    <div role="status">
      {isGone && (
        <Alert color="yellow" icon={<IconPlugConnectedX aria-hidden />} mb="md" title="The server cannot be reached" role="presentation">
          What you see may be out of date. This page tries again by itself and goes on as soon as the server answers.
        </Alert>
      )}
    </div>
  );
}
