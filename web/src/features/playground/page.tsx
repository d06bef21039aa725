import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import { Chat, ChatActions } from '@/features/playground/chat';
import { remember } from '@/features/playground/remembered';
import { playground } from '@/features/playground/store';
import { Loaded } from '@/ui/feedback';
import { lazily } from '@/ui/lazily';
import { Page } from '@/ui/page';

const Completions = lazily('Completions', async () => (await import('@/features/playground/completions')).Completions);
const Embeddings = lazily('Embeddings', async () => (await import('@/features/playground/embeddings')).Embeddings);

remember(playground);

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
  useEffect(() => {
    void Completions.preload();
    void Embeddings.preload();
  }, []);
  return (
    <Page
      title="Playground"
      actions={
        <>
          <SegmentedControl aria-label="What to try" data={MODES} value={mode} onChange={(chosen) => void navigate({ search: chosen === 'chat' ? {} : { mode: chosen } })} />
          {mode === 'chat' && <ChatActions />}
        </>
      }
    >
      <Loaded query={query}>
        {(endpoints) => (
          <>
            {mode === 'completions' && <Completions endpoints={endpoints} asked={endpoint} />}
            {mode === 'embeddings' && <Embeddings endpoints={endpoints} asked={endpoint} />}
            {mode !== 'completions' && mode !== 'embeddings' && <Chat endpoints={endpoints} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}
