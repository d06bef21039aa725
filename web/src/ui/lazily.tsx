import { Button, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ComponentType, Fragment, type FunctionComponent, type ReactNode } from 'react';

import { isAlive } from '@/lib/alive';
import { ApiError, unreachable } from '@/lib/problem';
import { Empty, ErrorPanel, Loading } from '@/ui/feedback';

type Lazy<Props> = FunctionComponent<Props> & { preload: () => Promise<void> };

type Frame = ComponentType<{ children: ReactNode }>;

const replaced = (): ApiError => new ApiError('The server has other pages than when this one was loaded: it was updated. Load the page anew.', -1, '', null);

/**
 * A part of the pages whose code comes when it is first shown, or before by `preload`, which never rejects. Code that
 * cannot be had is an error to show in its place, and is asked for again with all else once the server is back: what is
 * around it stays. `name` tells it from other such parts; `Frame` is around the error, as a page's heading is.
 */
export function lazily<Props extends object = object>(name: string, load: () => Promise<ComponentType<Props>>, Frame: Frame = Fragment): Lazy<Props> {
  let part: ComponentType<Props> | undefined;
  const fetchPart = async (): Promise<ComponentType<Props>> => {
    try {
      return (part ??= await load());
    } catch {
      throw (await isAlive()) ? replaced() : unreachable();
    }
  };
  function Part(props: Props) {
    const found = useQuery({ queryKey: ['part', name], queryFn: fetchPart, initialData: () => part, staleTime: Infinity, gcTime: Infinity });
    if (found.data) return <found.data {...props} />;
    if (found.error)
      return (
        <Frame>
          <Missing error={found.error} onRetry={() => void found.refetch()} />
        </Frame>
      );
    return <Loading />;
  }
  const preload = async (): Promise<void> => {
    await fetchPart().catch(() => undefined);
  };
  return Object.assign(Part, { preload });
}

function Missing({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const again = (
    <Button variant="default" onClick={onRetry}>
      Try again
    </Button>
  );
  if (error instanceof ApiError && error.isUnreachable)
    return (
      <Empty title="It comes as soon as the server answers" action={again}>
        The code of this part was not loaded yet, and the server cannot be reached.
      </Empty>
    );
  return (
    <Stack align="flex-start">
      <ErrorPanel error={error} title="Its code did not come" />
      <Group gap="xs">
        <Button onClick={() => window.location.reload()}>Load the page anew</Button>
        {again}
      </Group>
    </Stack>
  );
}
