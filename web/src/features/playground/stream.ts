import OpenAI from 'openai';

import { authorizedFetch } from '@/api/http';
import { apiRoot } from '@/lib/base';
import { ApiError } from '@/lib/problem';
import type { AssistantMessage, Failure, RawEvent, Stats, Token, ToolCall } from '@/features/playground/types';

const MOST_EVENTS = 2_000;
export const MOST_TOKENS = 5_000;

export type Progress = Pick<AssistantMessage, 'text' | 'reasoning' | 'toolCalls' | 'others' | 'tokens' | 'status' | 'stats' | 'failure' | 'events' | 'eventCount'>;

const clientOf = (path: string): OpenAI =>
  new OpenAI({
    baseURL: new URL(path, apiRoot()).href,
    apiKey: 'in the session', // `authorizedFetch` sends the session's bearer in its place
    dangerouslyAllowBrowser: true,
    maxRetries: 0,
    fetch: authorizedFetch,
  });
const client = clientOf('v1');
/** Databricks' routes put a prompt into the model's template unless `use_raw_prompt` says no; the others know no template. */
export const databricksClient = clientOf('serving-endpoints');

export const emptyStats = (): Stats => ({
  startedAt: Date.now(),
  ttftMs: null,
  totalMs: 0,
  promptTokens: null,
  cachedTokens: 0,
  completionTokens: null,
  reasoningTokens: null,
  finishReason: null,
  requestId: null,
  servedBy: null,
});

type Chunk = OpenAI.ChatCompletionChunk;
type ToolPart = OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall;
type Reasoned = { reasoning_content?: string | null };

const tokenOf = ({ token, logprob, top_logprobs: top }: OpenAI.ChatCompletionTokenLogprob): Token => ({
  text: token,
  logprob,
  top: top.map((one) => ({ text: one.token, logprob: one.logprob })),
});

/** One answer while it comes: what arrived so far is kept, however it ends. */
class Answer {
  text = '';
  reasoning = '';
  private readonly calls: ToolCall[] = [];
  private readonly others: (string | undefined)[] = [];
  private readonly tokens: Token[] = [];
  private events: RawEvent[] = [];
  private eventCount = 0;
  private stats = emptyStats();
  private readonly began = performance.now();

  header(response: Response): void {
    this.stats = { ...this.stats, requestId: response.headers.get('x-request-id'), servedBy: response.headers.get('served-model-name') };
  }

  take(chunk: Chunk): void {
    const ms = performance.now() - this.began;
    this.eventCount++;
    if (this.events.length < MOST_EVENTS) this.events.push({ ms, data: JSON.stringify(chunk) });
    for (const choice of chunk.choices) if (this.choose(choice)) this.stats.ttftMs ??= ms;
    const { usage } = chunk;
    if (usage) {
      this.stats.promptTokens = usage.prompt_tokens;
      this.stats.completionTokens = usage.completion_tokens;
      this.stats.cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? 0;
      this.stats.reasoningTokens = usage.completion_tokens_details?.reasoning_tokens ?? null;
    }
  }

  /** Takes what came of one of the answers; whether that is anything of it. */
  private choose({ index, delta, finish_reason: reason, logprobs }: Chunk['choices'][number]): boolean {
    const { content, reasoning_content: thought, tool_calls: calls }: OpenAI.ChatCompletionChunk.Choice.Delta & Reasoned = delta;
    if (index > 0) {
      this.others[index - 1] = (this.others[index - 1] ?? '') + (content ?? '');
      return Boolean(content);
    }
    this.text += content ?? '';
    this.reasoning += thought ?? '';
    for (const part of calls ?? []) this.call(part);
    for (const one of logprobs?.content ?? []) if (this.tokens.length < MOST_TOKENS) this.tokens.push(tokenOf(one));
    if (reason) this.stats.finishReason = reason;
    return Boolean(content || thought || calls?.length);
  }

  /** The parts of a call come one after another, under the call's number. */
  private call({ index, id, function: called }: ToolPart): void {
    const before = this.calls[index] ?? { id: '', name: '', arguments: '' };
    this.calls[index] = { id: before.id || (id ?? ''), name: before.name + (called?.name ?? ''), arguments: before.arguments + (called?.arguments ?? '') };
  }

  progress(status: AssistantMessage['status'], failure: Failure | null = null): Progress {
    const stats = { ...this.stats, totalMs: performance.now() - this.began };
    const [events, tokens] = status === 'running' ? [[], []] : [this.events, this.tokens];
    const others = Array.from(this.others, (one) => one ?? ''); // one may be ahead of those before it
    return { text: this.text, reasoning: this.reasoning, toolCalls: [...this.calls], others, tokens, status, stats, failure, events, eventCount: this.eventCount };
  }
}

const REDRAW_MS = 30;

type Tell = (progress: Progress) => void;
type Opened = { data: AsyncIterable<Chunk>; response: Response };

const streamed = (body: Record<string, unknown>): unknown => ({ ...body, stream: true, stream_options: { include_usage: true } });

/** Ask for a chat's answer, and tell how far it has come; never rejects. */
export const stream = (body: Record<string, unknown>, signal: AbortSignal, tell: Tell): Promise<void> =>
  answered(() => client.chat.completions.create(streamed(body) as OpenAI.ChatCompletionCreateParamsStreaming, { signal }).withResponse(), signal, tell);

/** Likewise for a text that is to go on. */
export const streamText = (body: Record<string, unknown>, signal: AbortSignal, tell: Tell): Promise<void> =>
  answered(
    async () => {
      const { data, response } = await databricksClient.completions.create(streamed(body) as OpenAI.CompletionCreateParamsStreaming, { signal }).withResponse();
      return { data: asChat(data), response };
    },
    signal,
    tell,
  );

/** A text's pieces in the words of a chat's. */
async function* asChat(data: AsyncIterable<OpenAI.Completion>): AsyncGenerator<Chunk> {
  for await (const { choices, usage, ...chunk } of data)
    yield {
      ...chunk,
      object: 'chat.completion.chunk',
      choices: choices.map(({ index, text, finish_reason }) => ({ index, delta: { content: text }, finish_reason })),
      ...(usage ? { usage } : {}),
    };
}

/** Tells how far the answer has come, at most every 30 ms and never later. */
async function answered(open: () => Promise<Opened>, signal: AbortSignal, tell: Tell): Promise<void> {
  const answer = new Answer();
  let due: ReturnType<typeof setTimeout> | undefined;
  const show = (): void => {
    due = undefined;
    tell(answer.progress('running'));
  };
  const end = (status: AssistantMessage['status'], failure: Failure | null = null): void => {
    clearTimeout(due);
    tell(answer.progress(status, failure));
  };
  try {
    const { data, response } = await open();
    answer.header(response);
    let breathed = 0;
    for await (const chunk of data) {
      answer.take(chunk);
      due ??= setTimeout(show, REDRAW_MS);
      if (performance.now() - breathed >= REDRAW_MS) {
        await breath();
        breathed = performance.now();
      }
    }
    end(signal.aborted ? 'stopped' : 'done');
  } catch (error) {
    if (signal.aborted) end('stopped');
    else end('failed', failureOf(error));
  }
}

/** Lets the browser draw and hear keys before more of the stream is taken. */
const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

export function failureOf(error: unknown): Failure {
  if (error instanceof OpenAI.APIConnectionError && error.cause instanceof ApiError) return { message: error.cause.message, requestId: null };
  if (error instanceof OpenAI.APIConnectionError) return { message: 'The connection to the server broke. What had come is kept; ask again.', requestId: null };
  if (error instanceof OpenAI.APIError) {
    const inner = error.error as { message?: unknown } | undefined;
    return { message: typeof inner?.message === 'string' ? inner.message : error.message, requestId: error.requestID ?? null };
  }
  return { message: error instanceof Error ? error.message : String(error), requestId: null };
}
