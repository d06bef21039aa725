import { expect, test } from 'vitest';

import { environment, firstSamples, streamSamples } from '@/features/help/samples';

const SERVER = 'http://models.example:8080/fm';

test('every snippet names this server and this endpoint, and holds no token', () => {
  for (const [name, text] of Object.entries(firstSamples(SERVER, 'my-chat', 'llm/v1/chat'))) {
    expect(text, name).toContain('my-chat');
    if (name !== 'CLI') expect(text, name).toContain(SERVER);
    expect(text, name).not.toContain('dapi');
  }
});

test('an embedding endpoint is asked for embeddings, and nobody offers LangChain’s chat for it', () => {
  const samples = firstSamples(SERVER, 'my-embed', 'llm/v1/embeddings');
  expect(samples['Python (openai)']).toContain('client.embeddings.create');
  expect(samples.mlflow).toContain('"input"');
  expect(samples).not.toHaveProperty('LangChain');
});

test('streams are shown for those clients that show them as they come', () => {
  expect(Object.keys(streamSamples(SERVER, 'my-chat', 'llm/v1/chat'))).toEqual(['curl', 'Python (openai)', 'JavaScript']);
});

test('the environment has the names that clients look for', () => {
  for (const text of Object.values(environment(SERVER))) for (const name of ['OPENFM_URL', 'OPENFM_TOKEN', 'DATABRICKS_HOST', 'DATABRICKS_TOKEN']) expect(text).toContain(name);
});
