import { Button, Group, Modal, Paper, Stack, Table, Text, Textarea } from '@mantine/core';
import { IconCode, IconDownload, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { Endpoint } from '@/api/endpoints';
import { pricesQuery } from '@/api/usage';
import { EndpointSelect, firstOf } from '@/features/playground/endpoint-select';
import { NoEndpoint } from '@/features/playground/no-endpoint';
import { grid, MOST_TEXTS, textsOf } from '@/features/playground/similarity';
import { databricksClient, failureOf } from '@/features/playground/stream';
import type { Failure } from '@/features/playground/types';
import { serverUrl } from '@/lib/base';
import { download } from '@/lib/files';
import { count, duration } from '@/lib/format';
import { costOf, priceFor } from '@/lib/model';
import { ApiError } from '@/lib/problem';
import { querySamples } from '@/lib/samples';
import { CodeTabs } from '@/ui/code';
import { Copy } from '@/ui/copy';
import { ErrorPanel } from '@/ui/feedback';

type Answer = { model: string; texts: string[]; vectors: number[][]; tokens: number; ms: number; requestId: string };

const EXAMPLE = 'The cat sleeps on the sofa.\nA kitten naps on the couch.\nInterest rates rose in March.';

/** Texts, and how alike a model finds them. */
export function Embeddings({ endpoints, asked }: { endpoints: readonly Endpoint[]; asked: string | undefined }) {
  const able = endpoints.filter((one) => one.task === 'llm/v1/embeddings');
  return able.length === 0 ? <NoEndpoint task="embeddings" /> : <Form endpoints={able} asked={asked} />;
}

async function embed(model: string, texts: string[]): Promise<Answer> {
  const began = performance.now();
  const { data, response } = await databricksClient.embeddings.create({ model, input: texts, encoding_format: 'float' }).withResponse();
  const vectors = data.data.map((one) => one.embedding);
  return { model, texts, vectors, tokens: data.usage.prompt_tokens, ms: performance.now() - began, requestId: response.headers.get('x-request-id') ?? '' };
}

function Form({ endpoints, asked }: { endpoints: readonly Endpoint[]; asked: string | undefined }) {
  const [name, setName] = useState(firstOf(endpoints, asked));
  const [lines, setLines] = useState(EXAMPLE);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [failure, fail] = useState<Failure | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isCoded, code] = useState(false);
  const texts = textsOf(lines);
  const isFine = texts.length > 0 && texts.length <= MOST_TEXTS;
  const run = (): void => {
    setBusy(true);
    fail(null);
    embed(name, texts)
      .then(setAnswer)
      .catch((error: unknown) => {
        setAnswer(null);
        fail(failureOf(error));
      })
      .finally(() => setBusy(false));
  };
  return (
    <Stack>
      <EndpointSelect endpoints={endpoints} value={name} onChange={setName} />
      <Textarea
        label="Texts"
        description={`One a line, up to ${MOST_TEXTS}`}
        value={lines}
        onChange={(event) => setLines(event.currentTarget.value)}
        error={texts.length > MOST_TEXTS ? `These are ${texts.length} texts. Leave at most ${MOST_TEXTS}.` : undefined}
        autosize
        minRows={4}
        maxRows={16}
      />
      <Group gap="xs">
        <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={run} loading={isBusy} disabled={!isFine}>
          Run
        </Button>
        <Button variant="default" leftSection={<IconCode size={16} aria-hidden />} onClick={() => code(true)}>
          Get code
        </Button>
      </Group>
      {failure && <ErrorPanel error={new ApiError(failure.message, -1, '', failure.requestId)} title="No answer" />}
      {answer && <Similarities answer={answer} endpoint={endpoints.find((one) => one.name === answer.model)} />}
      {isCoded && (
        <Modal opened onClose={() => code(false)} title="Get code" size="xl">
          <Text size="sm" c="dimmed" mb="sm">
            Put an access token into the variable OPENFM_TOKEN first.
          </Text>
          <CodeTabs label="code" samples={querySamples(serverUrl(), name, 'llm/v1/embeddings', { input: texts })} />
        </Modal>
      )}
    </Stack>
  );
}

function Similarities({ answer, endpoint }: { answer: Answer; endpoint: Endpoint | undefined }) {
  const prices = useQuery(pricesQuery).data ?? [];
  const price = priceFor(prices, endpoint?.name ?? '', endpoint?.config?.served_entities[0]?.entity_name, Date.now());
  const cost = price && costOf(price, { prompt: answer.tokens, cached: 0, completion: 0 });
  const facts = [
    `${count(answer.vectors[0]?.length ?? 0)} dimensions`,
    `${count(answer.tokens)} tokens`,
    duration(answer.ms),
    cost === null ? 'no price set' : `${cost.toLocaleString('en', { maximumSignificantDigits: 3, maximumFractionDigits: 12 })} ${price?.currency ?? ''}`,
  ];
  return (
    <Paper withBorder p="md" radius="md" component="article" aria-label="Answer">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          Cosine similarity: 1 is the same direction
        </Text>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus */}
        <div className="scrolls" role="region" aria-label="Cosine similarity" tabIndex={0}>
          <Table withColumnBorders w="auto" className="similarities" aria-label="Cosine similarity">
            <Table.Thead>
              <Table.Tr>
                <Table.Td />
                {answer.texts.map((text, at) => (
                  <Table.Th key={at} scope="col" title={text} ta="right">
                    {at + 1}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {grid(answer.vectors).map((row, at) => (
                <Table.Tr key={at}>
                  <Table.Th scope="row">
                    <Text size="sm" truncate title={answer.texts[at]}>
                      {at + 1}. {answer.texts[at]}
                    </Text>
                  </Table.Th>
                  {row.map((value, beside) => (
                    <Table.Td key={beside} ta="right" className="number" style={{ background: `color-mix(in srgb, var(--mantine-color-cyan-6) ${Math.max(0, Math.round(35 * value))}%, transparent)` }}>
                      {value.toFixed(3)}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
        <Text size="xs" c="dimmed" data-testid="stats">
          {facts.join(' · ')}
        </Text>
        <Group gap={2} wrap="nowrap">
          <Text size="xs" c="dimmed" ff="monospace" className="breaks">
            {answer.requestId}
          </Text>
          <Copy value={answer.requestId} label="Copy the request id" />
        </Group>
        <Group>
          <Button size="xs" variant="default" leftSection={<IconDownload size={14} aria-hidden />} onClick={() => download('vectors.json', JSON.stringify(answer.texts.map((text, at) => ({ text, embedding: answer.vectors[at] }))), 'application/json')}>
            Vectors as JSON
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}
