import { ActionIcon, Box, Button, Group, Paper, Stack, Text, Textarea, Tooltip } from '@mantine/core';
import { IconCode, IconGitBranch, IconMarkdown, IconPencil, IconPlayerPlay, IconRefresh, IconTrash } from '@tabler/icons-react';
import { memo, type ReactNode, useMemo, useState } from 'react';

import type { Price } from '@/api/usage';
import { AnswerText } from '@/features/playground/answer-text';
import { Others } from '@/features/playground/others';
import { RawDialog } from '@/features/playground/raw';
import { tokensPerSecond } from '@/features/playground/request';
import { playground } from '@/features/playground/store';
import { ToolCalls, ToolResults } from '@/features/playground/tool-calls';
import { Tokens } from '@/features/playground/tokens';
import type { AssistantMessage, Stats, UserMessage } from '@/features/playground/types';
import { verdictOn } from '@/features/playground/verdict';
import { count, duration } from '@/lib/format';
import { inert } from '@/lib/inert';
import { costOf } from '@/lib/model';
import { Copy } from '@/ui/copy';
import { ErrorPanel } from '@/ui/feedback';
import { ApiError } from '@/lib/problem';

const Tool = ({ label, onClick, children, disabled = false }: { label: string; onClick: () => void; children: ReactNode; disabled?: boolean }) => (
  <Tooltip label={label}>
    <ActionIcon variant="subtle" color="gray" size="sm" aria-label={label} onClick={onClick} disabled={disabled}>
      {children}
    </ActionIcon>
  </Tooltip>
);

export const UserTurn = memo(function UserTurn({ columnId, message, isBusy }: { columnId: string; message: UserMessage; isBusy: boolean }) {
  const [edited, edit] = useState<string | null>(null);
  if (edited !== null)
    return (
      <Paper withBorder p="sm" radius="md">
        <Textarea label="Edit the message" value={edited} onChange={(event) => edit(event.currentTarget.value)} autosize minRows={2} maxRows={12} data-autofocus />
        <Group gap="xs" mt="xs">
          <Button
            size="xs"
            disabled={edited.trim() === '' || isBusy}
            onClick={() => {
              playground.edit(columnId, message.id, edited);
              edit(null);
            }}
          >
            Send again
          </Button>
          <Button size="xs" variant="default" onClick={() => edit(null)}>
            Cancel
          </Button>
        </Group>
      </Paper>
    );
  return (
    <Box className="turn user-turn" component="article" aria-label="You">
      <Text size="sm" className="plain">
        {message.text}
      </Text>
      <Group gap={2} justify="flex-end">
        <Copy value={message.text} label="Copy the message" />
        <Tool label="Edit the message" onClick={() => edit(message.text)} disabled={isBusy}>
          <IconPencil size={14} />
        </Tool>
        <Tool label="Delete the message" onClick={() => playground.remove(columnId, message.id)} disabled={isBusy}>
          <IconTrash size={14} />
        </Tool>
      </Group>
    </Box>
  );
});

type AnswerProps = {
  columnId: string;
  message: AssistantMessage;
  price: Price | null;
  isBusy: boolean;
  /** It called functions, and waits for what they give. */
  isOpen: boolean;
};

export const AssistantTurn = memo(function AssistantTurn({ columnId, message, price, isBusy, isOpen }: AnswerProps) {
  const [isRaw, setRaw] = useState(false);
  const [isInspected, inspect] = useState(false);
  const isRunning = message.status === 'running';
  return (
    <Box className="turn" component="article" aria-label="Answer" aria-busy={isRunning}>
      <Stack gap="xs">
        {message.reasoning && (
          <details className="reasoning" open={isRunning && message.text === ''}>
            <summary>Reasoning</summary>
            <Text size="xs" c="dimmed" className="plain">
              {message.reasoning}
            </Text>
          </details>
        )}
        {isRunning && message.text === '' && message.toolCalls.length === 0 && <Text size="sm" c="dimmed" className="caret">Waiting for the first token</Text>}
        {message.text !== '' && <AnswerText text={message.text} isRunning={isRunning} isRaw={isRaw} />}
        {message.others.length > 0 && <Others texts={message.others} isRunning={isRunning} isRaw={isRaw} canPrefer={!isBusy} prefer={(other) => playground.prefer(columnId, message.id, other)} />}
        {message.toolCalls.length > 0 && <ToolCalls calls={message.toolCalls} />}
        {isOpen && <ToolResults columnId={columnId} calls={message.toolCalls} />}
        {message.failure && <ErrorPanel error={new ApiError(message.failure.message, -1, '', message.failure.requestId)} title="No whole answer" onRetry={isBusy ? undefined : () => playground.regenerate(columnId, message.id)} />}
        {message.status === 'stopped' && (
          <Text size="xs" c="dimmed">
            Stopped. What had come is kept.
          </Text>
        )}
        {!isRunning && message.tokens.length > 0 && <Tokens tokens={message.tokens} />}
        <FormatVerdict message={message} />
        <StatsLine message={message} price={price} />
        {!isRunning && (
          <Group gap={2}>
            <Copy value={message.text} label="Copy the answer" />
            <Tool label="Answer again" onClick={() => playground.regenerate(columnId, message.id)} disabled={isBusy}>
              <IconRefresh size={14} />
            </Tool>
            <Tool label="Branch into another column" onClick={() => playground.branch(columnId, message.id)}>
              <IconGitBranch size={14} />
            </Tool>
            {isCut(message) && (
              <Tool label="Let the answer go on" onClick={() => playground.goOn(columnId, message.id)} disabled={isBusy}>
                <IconPlayerPlay size={14} />
              </Tool>
            )}
            <Tool label={isRaw ? 'Show as Markdown' : 'Show as plain text'} onClick={() => setRaw(!isRaw)}>
              <IconMarkdown size={14} />
            </Tool>
            <Tool label="Show the request and the raw events" onClick={() => inspect(true)}>
              <IconCode size={14} />
            </Tool>
            <Tool label="Delete the answer" onClick={() => playground.remove(columnId, message.id)} disabled={isBusy}>
              <IconTrash size={14} />
            </Tool>
          </Group>
        )}
        {isInspected && <RawDialog message={message} onClose={() => inspect(false)} />}
      </Stack>
    </Box>
  );
});

/** More would have come: it was stopped, or had no tokens left. */
const isCut = ({ status, stats, text, toolCalls }: AssistantMessage): boolean =>
  text !== '' && toolCalls.length === 0 && (status === 'stopped' || stats.finishReason === 'length');

function FormatVerdict({ message }: { message: AssistantMessage }) {
  const { text, request, status } = message;
  const verdict = useMemo(() => ('response_format' in request && status === 'done' ? verdictOn(text, request.response_format) : null), [text, request, status]);
  if (!verdict) return null;
  return (
    <Text size="xs" c={verdict.isGood ? 'dimmed' : 'var(--mantine-color-error)'} className="breaks">
      {inert(verdict.words)}
    </Text>
  );
}

export function StatsLine({ message, price }: { message: AssistantMessage; price: Price | null }) {
  const { stats, eventCount } = message;
  const isRunning = message.status === 'running';
  const rate = tokensPerSecond(isRunning ? { ...stats, completionTokens: eventCount } : stats);
  const { promptTokens, completionTokens, cachedTokens, reasoningTokens } = stats;
  const parts: (string | null)[] = [
    stats.ttftMs === null ? null : `first token ${duration(stats.ttftMs)}`,
    rate === null ? null : `${isRunning ? 'about ' : ''}${rate.toFixed(1)} tokens/s`,
    promptTokens === null ? null : `${count(promptTokens)} in${cachedTokens ? ` (${count(cachedTokens)} cached)` : ''}`,
    completionTokens === null ? null : `${count(completionTokens)} out${reasoningTokens ? ` (${count(reasoningTokens)} reasoning)` : ''}`,
    isRunning ? null : duration(stats.totalMs),
    costShown(stats, price),
    stats.finishReason === 'length' ? 'cut at max tokens' : stats.finishReason,
  ];
  return (
    <Box>
      <Text size="xs" c="dimmed" className="number" style={{ whiteSpace: 'normal' }} data-testid="stats">
        {parts.filter((one) => one !== null).join(' · ')}
      </Text>
      {stats.requestId && !isRunning && (
        <Group gap={2} wrap="nowrap">
          <Text size="xs" c="dimmed" ff="monospace" className="breaks">
            {stats.requestId}
          </Text>
          <Copy value={stats.requestId} label="Copy the request id" />
        </Group>
      )}
    </Box>
  );
}

function costShown(stats: Stats, price: Price | null): string | null {
  const { promptTokens, completionTokens, cachedTokens } = stats;
  if (promptTokens === null || completionTokens === null) return null;
  if (!price) return 'no price set';
  const cost = costOf(price, { prompt: promptTokens, cached: cachedTokens, completion: completionTokens });
  return `${cost.toLocaleString('en', { maximumSignificantDigits: 3, maximumFractionDigits: 12 })} ${price.currency}`;
}
