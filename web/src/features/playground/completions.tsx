import { Button, Group, Modal, NumberInput, Paper, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { IconCode, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';

import type { Endpoint } from '@/api/endpoints';
import { type Price, pricesQuery } from '@/api/usage';
import { EndpointSelect, firstOf } from '@/features/playground/endpoint-select';
import { StatsLine } from '@/features/playground/message';
import { NoEndpoint } from '@/features/playground/no-endpoint';
import { RawDialog } from '@/features/playground/raw';
import { type Progress, streamText } from '@/features/playground/stream';
import type { AssistantMessage } from '@/features/playground/types';
import { serverUrl } from '@/lib/base';
import { inert } from '@/lib/inert';
import { priceFor } from '@/lib/model';
import { ApiError } from '@/lib/problem';
import { querySamples } from '@/lib/samples';
import { CodeTabs } from '@/ui/code';
import { ErrorPanel } from '@/ui/feedback';

type Settings = { max_tokens?: number; temperature?: number; top_p?: number; stop?: string[]; use_raw_prompt?: boolean };
type Numbers = 'max_tokens' | 'temperature' | 'top_p';
const NUMBERS: { name: Numbers; label: string; min: number; max?: number; step: number }[] = [
  { name: 'max_tokens', label: 'Max tokens', min: 1, step: 64 },
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.1 },
  { name: 'top_p', label: 'Top P', min: 0, max: 1, step: 0.05 },
];

const canComplete = (endpoint: Endpoint): boolean => endpoint.task === 'llm/v1/completions' || endpoint.task === 'llm/v1/chat';

/** A text, and how a model goes on with it. */
export function Completions({ endpoints, asked }: { endpoints: readonly Endpoint[]; asked: string | undefined }) {
  const able = endpoints.filter(canComplete);
  return able.length === 0 ? <NoEndpoint task="completions" /> : <Form endpoints={able} asked={asked} />;
}

/** Runs one request at a time; leaving the page hangs up. */
function useRun() {
  const [answer, setAnswer] = useState<AssistantMessage | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const run = (request: Record<string, unknown>): void => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    void streamText(request, controller.signal, (progress: Progress) => {
      if (running.current === controller) setAnswer({ ...progress, id: 'answer', role: 'assistant', request });
    });
  };
  return { answer, run, stop: () => running.current?.abort(), isRunning: answer?.status === 'running' };
}

function Form({ endpoints, asked }: { endpoints: readonly Endpoint[]; asked: string | undefined }) {
  const [name, setName] = useState(firstOf(endpoints, asked));
  const [prompt, setPrompt] = useState('The capital of France is');
  const [settings, set] = useState<Settings>({ max_tokens: 32, use_raw_prompt: true });
  const [isCoded, code] = useState(false);
  const { answer, run, stop, isRunning } = useRun();
  const endpoint = endpoints.find((one) => one.name === name);
  const prices = useQuery(pricesQuery).data ?? [];
  const answering = endpoints.find((one) => one.name === answer?.request.model);
  const price = priceFor(prices, answering?.name ?? '', answering?.config?.served_entities[0]?.entity_name, Date.now());
  const body = { prompt, ...settings };
  const put = (key: keyof Settings, value: unknown): void =>
    set((now) => {
      const changed = { ...now, [key]: value };
      if (value === undefined) Reflect.deleteProperty(changed, key);
      return changed;
    });
  const start = (): void => run({ model: name, ...body });
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    start();
  };
  return (
    <Stack>
      <EndpointSelect endpoints={endpoints} value={name} onChange={setName} />
      <div className="parameters">
        {NUMBERS.map(({ name: key, label, ...bounds }) => (
          <NumberInput key={key} size="xs" label={label} placeholder="Default" value={settings[key] ?? ''} onChange={(value) => put(key, value === '' ? undefined : Number(value))} {...bounds} />
        ))}
        <TextInput size="xs" label="Stop" placeholder="Texts, separated by |" value={settings.stop?.join('|') ?? ''} onChange={(event) => put('stop', event.currentTarget.value ? event.currentTarget.value.split('|') : undefined)} />
      </div>
      {endpoint?.task === 'llm/v1/chat' && (
        <Switch
          label="Raw prompt"
          description="The text as it is; otherwise it is put into the chat model’s template as a question"
          checked={settings.use_raw_prompt === true}
          onChange={(event) => put('use_raw_prompt', event.currentTarget.checked || undefined)}
        />
      )}
      <Textarea label="Prompt" description="Ctrl and Enter runs it" value={prompt} onChange={(event) => setPrompt(event.currentTarget.value)} onKeyDown={onKeyDown} autosize minRows={4} maxRows={16} />
      <Group gap="xs">
        {isRunning ? (
          <Button variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={start} disabled={prompt === ''}>
            Run
          </Button>
        )}
        <Button variant="default" leftSection={<IconCode size={16} aria-hidden />} onClick={() => code(true)}>
          Get code
        </Button>
      </Group>
      {answer && <Answer answer={answer} price={price} />}
      {isCoded && (
        <Modal opened onClose={() => code(false)} title="Get code" size="xl">
          <Text size="sm" c="dimmed" mb="sm">
            Put an access token into the variable OPENFM_TOKEN first.
          </Text>
          <CodeTabs label="code" samples={querySamples(serverUrl(), name, 'llm/v1/completions', body)} />
        </Modal>
      )}
    </Stack>
  );
}

function Answer({ answer, price }: { answer: AssistantMessage; price: Price | null }) {
  const [isRaw, raw] = useState(false);
  const prompt = typeof answer.request.prompt === 'string' ? answer.request.prompt : '';
  return (
    <Paper withBorder p="md" radius="md" component="article" aria-label="Answer" aria-busy={answer.status === 'running'}>
      <Stack gap="xs">
        <Text size="sm" className="plain">
          <Text span c="dimmed" inherit>
            {inert(prompt)}
          </Text>
          <Text span fw={600} inherit data-testid="completion">
            {inert(answer.text)}
          </Text>
        </Text>
        {answer.failure && <ErrorPanel error={new ApiError(answer.failure.message, -1, '', answer.failure.requestId)} title="No whole answer" />}
        <StatsLine message={answer} price={price} />
        {answer.status !== 'running' && (
          <Group>
            <Button size="xs" variant="subtle" onClick={() => raw(true)}>
              Request and raw events
            </Button>
          </Group>
        )}
        {isRaw && <RawDialog message={answer} onClose={() => raw(false)} />}
      </Stack>
    </Paper>
  );
}
