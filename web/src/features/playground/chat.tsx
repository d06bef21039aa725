import { Button, FileButton, Group, Menu, Modal, Paper, Stack, Switch, Text, Textarea } from '@mantine/core';
import { IconDownload, IconPaperclip, IconPlus, IconSend, IconShare, IconUpload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type KeyboardEvent, memo, useEffect, useRef, useState } from 'react';

import { type Endpoint, endpointsQuery, payloadOf } from '@/api/endpoints';
import { type Price, pricesQuery } from '@/api/usage';
import { ColumnView } from '@/features/playground/column';
import { fileAsPrompt } from '@/features/playground/attachment';
import { NoEndpoint } from '@/features/playground/no-endpoint';
import { fromRequest } from '@/features/playground/replay';
import { askedSoFar, bodyOf } from '@/features/playground/request';
import { fromFile, toFile } from '@/features/playground/saved';
import { fromText, toText } from '@/features/playground/share';
import { playground, useColumn, usePlayground } from '@/features/playground/store';
import { ALL_SAME, type Column, MOST_COLUMNS } from '@/features/playground/types';
import { pagesRoot, serverUrl } from '@/lib/base';
import { download } from '@/lib/files';
import { querySamples } from '@/lib/samples';
import { CodeTabs } from '@/ui/code';
import { refused, told } from '@/ui/notify';

const NO_PRICES: readonly Price[] = [];
const SAMPLES = [
  'Explain in three sentences what a serving endpoint is.',
  'Write a Python function that checks whether a word is a palindrome, with a short test.',
  'Summarise in one sentence: The meeting moved to Thursday because the room was taken, and Ana will bring the figures.',
  'List five names for a small coffee shop, as a Markdown table with a reason for each.',
];

const isChat = (endpoint: Endpoint): boolean => endpoint.task === 'llm/v1/chat';

/** Conversations with one to four endpoints side by side. */
export function Chat({ endpoints }: { endpoints: readonly Endpoint[] }) {
  const chat = endpoints.filter(isChat);
  return chat.length === 0 ? <NoEndpoint task="chat" /> : <Board endpoints={chat} />;
}

/** Takes over what the URL says, once. */
function useUrl(endpoints: readonly Endpoint[]): void {
  const { s, endpoint, replay } = useSearch({ from: '/playground' });
  const navigate = useNavigate({ from: '/playground' });
  const first = endpoints.find((one) => one.state.ready === 'READY') ?? endpoints[0];
  const fallback = first?.name ?? '';
  useEffect(() => {
    const shared = s === undefined ? null : fromText(s);
    const [column] = playground.snapshot().columns;
    if (shared) playground.load(shared);
    else if (replay !== undefined && endpoint !== undefined) {
      payloadOf(endpoint, replay)
        .then((payload) => playground.restore(fromRequest(endpoint, payload.request ?? '')))
        .catch(refused);
    } else if (endpoint !== undefined && column && column.endpoint !== endpoint) {
      if (column.messages.length > 0) playground.load({ columns: [{ endpoint, system: '', params: {} }], sync: ALL_SAME, draft: playground.snapshot().draft });
      else playground.setEndpoint(column.id, endpoint);
    } else if (column?.endpoint === '') playground.setEndpoint(column.id, fallback);
    if (s !== undefined || endpoint !== undefined) void navigate({ search: {}, replace: true });
  }, [s, endpoint, replay, fallback, navigate]);
}

function Board({ endpoints }: { endpoints: readonly Endpoint[] }) {
  useUrl(endpoints);
  const ids = usePlayground(columnIds).split(' ');
  const sync = usePlayground((state) => state.sync);
  const prices = useQuery(pricesQuery).data ?? NO_PRICES;
  const [expanded, expand] = useState<string | null>(null);
  const [coded, code] = useState<string | null>(null);
  const shown = expanded !== null && ids.includes(expanded) ? [expanded] : ids;
  return (
    <Stack gap="md" className="board">
      {ids.length > 1 && (
        <Group gap="lg">
          <Switch label="Same prompt for all" checked={sync.prompt} onChange={(event) => playground.setSync({ prompt: event.currentTarget.checked })} />
          <Switch label="Same system prompt for all" checked={sync.system} onChange={(event) => playground.setSync({ system: event.currentTarget.checked })} />
          <Switch label="Same parameters for all" checked={sync.params} onChange={(event) => playground.setSync({ params: event.currentTarget.checked })} />
        </Group>
      )}
      <div className="columns">
        {shown.map((id) => (
          <div key={id} className="column-slot">
            <ColumnView id={id} number={ids.indexOf(id) + 1} endpoints={endpoints} prices={prices} canClose={ids.length > 1} isExpanded={expanded === id} expand={expand} code={code} />
            {!sync.prompt && <Composer columnId={id} label={`Message ${ids.indexOf(id) + 1}`} />}
          </div>
        ))}
      </div>
      {sync.prompt && ids[0] && <Composer columnId={ids[0]} label="Message" />}
      {coded !== null && <CodeDialog id={coded} onClose={() => code(null)} />}
    </Stack>
  );
}

/** As one text, which is the same as long as the columns are. */
const columnIds = ({ columns }: { columns: readonly Column[] }): string => columns.map((one) => one.id).join(' ');
const usedEndpoints = ({ columns }: { columns: readonly Column[] }): string => columns.map((one) => one.endpoint).join(' ');

const Composer = memo(function Composer({ columnId, label }: { columnId: string; label: string }) {
  const draft = usePlayground(() => playground.draftFor(columnId));
  const isEmpty = usePlayground((state) => state.columns.every((one) => one.messages.length === 0));
  const canSend = usePlayground(() => playground.canSend(columnId));
  const field = useRef<HTMLTextAreaElement>(null);
  const attach = (file: File | null): void => {
    if (!file) return;
    fileAsPrompt(file)
      .then((text) => {
        playground.setDraft(columnId, [draft.trimEnd(), text].filter(Boolean).join('\n\n'));
        field.current?.focus();
      })
      .catch(refused);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    playground.send(columnId);
  };
  return (
    <Paper withBorder p="sm" radius="md" className="composer">
      <Textarea
        ref={field}
        label={label}
        placeholder="Ask something. Enter sends, Shift and Enter begins a new line."
        value={draft}
        onChange={(event) => playground.setDraft(columnId, event.currentTarget.value)}
        onKeyDown={onKeyDown}
        autosize
        minRows={2}
        maxRows={10}
      />
      <Group justify="space-between" mt="xs" gap="xs">
        <Group gap={0}>
          <Menu position="top-start" withinPortal>
            <Menu.Target>
              <Button size="xs" variant="subtle">
                Select a sample
              </Button>
            </Menu.Target>
            <Menu.Dropdown maw={480}>
              {SAMPLES.map((text) => (
                <Menu.Item
                  key={text}
                  onClick={() => {
                    playground.setDraft(columnId, text);
                    field.current?.focus();
                  }}
                >
                  {text}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
          <FileButton onChange={attach} accept="text/*,.md,.json,.jsonl,.yaml,.yml,.toml,.py,.ts,.tsx,.js,.sql,.csv,.xml,.log">
            {(props) => (
              <Button size="xs" variant="subtle" leftSection={<IconPaperclip size={14} aria-hidden />} {...props}>
                Attach<span className="wide-only">&nbsp;a text file</span>
              </Button>
            )}
          </FileButton>
        </Group>
        <Group gap="xs" wrap="nowrap">
          {!isEmpty && (
            <Button size="xs" variant="subtle" color="gray" onClick={() => playground.clear()}>
              Clear
            </Button>
          )}
          <Button size="xs" leftSection={<IconSend size={14} aria-hidden />} onClick={() => playground.send(columnId)} disabled={!canSend}>
            Send
          </Button>
        </Group>
      </Group>
    </Paper>
  );
});

/** Whom to compare with: one that answers, and another than those that are there. */
function nextOf(endpoints: readonly Endpoint[], used: readonly string[]): string {
  const ready = endpoints.filter((one) => one.state.ready === 'READY');
  const choices = ready.length > 0 ? ready : endpoints;
  return (choices.find((one) => !used.includes(one.name)) ?? choices[0])?.name ?? '';
}

export function ChatActions() {
  const endpoints = useQuery(endpointsQuery).data?.filter(isChat) ?? [];
  const used = usePlayground(usedEndpoints).split(' ');
  const next = nextOf(endpoints, used);
  const share = async (): Promise<void> => {
    const { columns: all, sync, draft } = playground.snapshot();
    const text = toText({ columns: all.map(({ endpoint, system, params }) => ({ endpoint, system, params })), sync, draft });
    await navigator.clipboard.writeText(new URL(`playground?s=${text}`, pagesRoot()).href);
    told('A link to this comparison is in the clipboard. It has endpoints, settings and the prompt, and no answers.');
  };
  const save = (): void => download('playground.json', toFile(playground.snapshot()), 'application/json');
  const open = (file: File | null): void => {
    file?.text().then((text) => playground.restore(fromFile(text))).catch(refused);
  };
  return (
    <>
      <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => playground.addColumn(next)} disabled={used.length >= MOST_COLUMNS || endpoints.length === 0}>
        Add endpoint
      </Button>
      <Button variant="default" leftSection={<IconShare size={16} aria-hidden />} onClick={() => void share()}>
        Share
      </Button>
      <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={save}>
        Export
      </Button>
      <FileButton onChange={open} accept="application/json">
        {(props) => (
          <Button variant="default" leftSection={<IconUpload size={16} aria-hidden />} {...props}>
            Import
          </Button>
        )}
      </FileButton>
    </>
  );
}

function CodeDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const column = useColumn(id, (it) => it);
  if (!column) return null;
  return (
    <Modal opened onClose={onClose} title="Get code" size="xl">
      <Text size="sm" c="dimmed" mb="sm">
        Put an access token into the variable OPENFM_TOKEN first.
      </Text>
      <CodeTabs label="code" samples={samplesOf(column)} />
    </Modal>
  );
}

function samplesOf(column: Column): Record<string, string> {
  const asked = askedSoFar(column.messages);
  const messages = asked.length > 0 ? asked : [{ id: '', role: 'user' as const, text: 'Hello!' }];
  try {
    return querySamples(serverUrl(), column.endpoint, 'llm/v1/chat', bodyOf(column, messages));
  } catch (error) {
    return { Problem: error instanceof Error ? error.message : String(error) };
  }
}
