import { expect, test } from 'vitest';

import { shownFacts } from '@/features/models/facts';

test('facts are told in people’s words, and unknown ones not at all', () => {
  const facts = { format: 'gguf', task: 'llm/v1/chat', context_length: 8192, parameters: 134_515_008, weight_bytes: 96_576_768, embedding: null, has_function_calling: false, adapter_of: null };
  expect(Object.fromEntries(shownFacts(facts))).toEqual({ Task: 'Chat', Parameters: '134.5M', Size: '92.1 MiB', Context: '8,192 tokens', Format: 'gguf' });
});

test('an embedding model tells its dimensions', () => {
  expect(shownFacts({ task: 'llm/v1/embeddings', embedding: { dimension: 384 } })).toContainEqual(['Dimensions', '384']);
});
