import { Group, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import Chat, { ChatActions } from '@/features/playground/chat';
import { Loaded, Loading } from '@/ui/feedback';
import { Page } from '@/ui/page';

const Completions = lazy(() => import('@/features/playground/completions'));
const Embeddings = lazy(() => import('@/features/playground/embeddings'));

const MODES = [
  { value: 'chat', label: 'Chat' },
  { value: 'completions', label: 'Completions' },
  { value: 'embeddings', label: 'Embeddings' },
];

/** Models are tried here: in conversations, on a text to go on with, and on texts to compare. */
export function PlaygroundPage() {
  const { mode = 'chat', endpoint } = useSearch({ from: '/playground' });
  const navigate = useNavigate({ from: '/playground' });
  const query = useQuery(endpointsQuery);
  return (
    <Page title="Playground" actions={mode === 'chat' && <ChatActions />}>
      <Group>
        <SegmentedControl aria-label="What to try" data={MODES} value={mode} onChange={(chosen) => void navigate({ search: chosen === 'chat' ? {} : { mode: chosen } })} />
      </Group>
      <Loaded query={query}>
        {(endpoints) => (
          <Suspense fallback={<Loading />}>
            {mode === 'completions' && <Completions endpoints={endpoints} asked={endpoint} />}
            {mode === 'embeddings' && <Embeddings endpoints={endpoints} asked={endpoint} />}
            {mode !== 'completions' && mode !== 'embeddings' && <Chat endpoints={endpoints} />}
          </Suspense>
        )}
      </Loaded>
    </Page>
  );
}
