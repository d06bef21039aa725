import { useSyncExternalStore } from 'react';

import { session } from '@/api/session';
import { bodyOf } from '@/features/playground/request';
import type { Shared } from '@/features/playground/share';
import { emptyStats, type Progress, stream } from '@/features/playground/stream';
import { ALL_SAME, type AssistantMessage, type Column, type Message, MOST_COLUMNS, type Params, type Sync, type ToolMessage } from '@/features/playground/types';

type State = { columns: readonly Column[]; sync: Sync; draft: string };
type Settings = { system?: string; params?: Params };
type Ask = typeof stream;

const REDRAW_MS = 50;

const newId = (): string => crypto.randomUUID();
const newColumn = (endpoint: string, like?: Settings): Column => ({
  id: newId(),
  endpoint,
  system: like?.system ?? '',
  params: like?.params ?? {},
  messages: [],
  draft: '',
});
/** What of a column's settings holds for all columns. */
const sameOf = ({ system, params }: Settings, sync: Partial<Sync>): Settings => ({
  ...(sync.system && system !== undefined ? { system } : {}),
  ...(sync.params && params !== undefined ? { params } : {}),
});
const newAnswer = (): AssistantMessage => ({
  id: newId(), role: 'assistant', text: '', reasoning: '', toolCalls: [], others: [], tokens: [], status: 'running', stats: emptyStats(), failure: null, request: {}, events: [], eventCount: 0,
});

/** Every column's conversation. It outlives the page, so that going elsewhere and back loses nothing. */
export class Playground {
  private state: State = { columns: [newColumn('')], sync: ALL_SAME, draft: '' };
  private readonly listeners = new Set<() => void>();
  private readonly running = new Map<string, AbortController>();
  private readonly pending = new Map<string, (column: Column) => Partial<Column>>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ask: Ask = stream) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = (): State => this.state;

  reset(): void {
    for (const column of this.state.columns) this.stop(column.id);
    this.put({ columns: [newColumn('')], sync: ALL_SAME, draft: '' });
  }

  load(shared: Shared): void {
    for (const column of this.state.columns) this.stop(column.id);
    const columns = shared.columns.map((one) => newColumn(one.endpoint, one));
    this.put({ columns, sync: shared.sync, draft: shared.draft });
  }

  /** Go on from conversations that were saved. */
  restore(saved: State): void {
    for (const column of this.state.columns) this.stop(column.id);
    this.put(saved);
  }

  addColumn(endpoint: string): void {
    const { columns, sync } = this.state;
    if (columns.length >= MOST_COLUMNS) return;
    this.put({ columns: [...columns, newColumn(endpoint, columns[0] && sameOf(columns[0], sync))] });
  }

  /** The conversation up to this message once more, in a column of its own, to go another way from there. */
  branch(id: string, messageId: string): void {
    const { columns, sync } = this.state;
    const source = columns.find((one) => one.id === id);
    if (!source || columns.length >= MOST_COLUMNS) return;
    const messages = source.messages.slice(0, indexOf(source, messageId) + 1).map((one) => ({ ...one, id: newId() }));
    // Whoever branches wants to ask each branch something else.
    this.put({ columns: [...columns, { ...newColumn(source.endpoint, source), messages }], sync: { ...sync, prompt: false } });
  }

  removeColumn(id: string): void {
    this.stop(id);
    this.put({ columns: this.state.columns.filter((one) => one.id !== id) });
  }

  clear(): void {
    for (const column of this.state.columns) this.stop(column.id);
    this.put({ columns: this.state.columns.map((one) => ({ ...one, messages: [] })) });
  }

  setEndpoint = (id: string, endpoint: string): void => this.change(id, () => ({ endpoint }));
  setSync = (sync: Partial<Sync>): void => {
    const first = this.state.columns[0];
    const same = first ? sameOf(first, sync) : {};
    this.put({ sync: { ...this.state.sync, ...sync }, columns: this.state.columns.map((one) => ({ ...one, ...same })) });
  };

  /** What is being written to this column: the same for all, where prompts are. */
  draftFor(id: string): string {
    const { sync, columns, draft } = this.state;
    return sync.prompt ? draft : (columns.find((one) => one.id === id)?.draft ?? '');
  }

  setDraft(id: string, draft: string): void {
    if (this.state.sync.prompt) this.put({ draft });
    else this.change(id, () => ({ draft }));
  }

  /** The system prompt and parameters: of all columns, where they are the same. */
  setSettings(id: string, settings: Settings): void {
    const same = sameOf(settings, this.state.sync);
    this.put({ columns: this.state.columns.map((one) => ({ ...one, ...(one.id === id ? settings : same) })) });
  }

  /** Whether the draft can go out: to all the columns that it is for, none of which is still answering. */
  canSend(id: string): boolean {
    return this.draftFor(id).trim() !== '' && this.askedWith(id).every((one) => one.endpoint !== '' && !this.isRunning(one.id));
  }

  /** Ask every column at once, or this one alone where prompts are apart. One that fails stops no other. */
  send(id: string): void {
    if (!this.canSend(id)) return;
    const text = this.draftFor(id);
    for (const column of this.askedWith(id)) {
      this.change(column.id, ({ messages }) => ({ messages: [...messages, { id: newId(), role: 'user', text }] }));
      this.answer(column.id);
    }
    this.setDraft(id, '');
  }

  stop(id: string): void {
    this.running.get(id)?.abort();
  }

  /** Another answer in the place of this one; what came after it goes. */
  regenerate(id: string, messageId: string): void {
    if (this.isRunning(id)) return;
    this.change(id, (column) => ({ messages: column.messages.slice(0, indexOf(column, messageId)) }));
    this.answer(id);
  }

  /** Let an answer that was cut go on where it ended; what came after it goes. */
  goOn(id: string, messageId: string): void {
    const kept = this.state.columns.find((one) => one.id === id)?.messages.find((one) => one.id === messageId);
    if (this.isRunning(id) || kept?.role !== 'assistant') return;
    this.change(id, (column) => ({ messages: column.messages.slice(0, indexOf(column, messageId) + 1) }));
    this.answer(id, kept);
  }

  /** Go on with another of several answers: it changes places with the one that was shown first. */
  prefer(id: string, messageId: string, other: number): void {
    if (this.isRunning(id)) return;
    this.change(id, ({ messages }) => ({ messages: messages.map((one) => (one.id === messageId && one.role === 'assistant' ? preferring(one, other) : one)) }));
  }

  /** Tell the model what the functions gave that it called. */
  respond(id: string, results: readonly Pick<ToolMessage, 'callId' | 'name' | 'text'>[]): void {
    if (this.isRunning(id)) return;
    const told = results.map((one): ToolMessage => ({ ...one, id: newId(), role: 'tool' }));
    this.change(id, (column) => ({ messages: [...column.messages, ...told] }));
    this.answer(id);
  }

  /** Ask something else in the place of this message; what came after it goes. */
  edit(id: string, messageId: string, text: string): void {
    if (this.isRunning(id)) return;
    this.change(id, (column) => {
      const at = indexOf(column, messageId);
      return { messages: [...column.messages.slice(0, at), { id: newId(), role: 'user', text }] };
    });
    this.answer(id);
  }

  /** Remove a message with all that answers it, up to the next question. */
  remove(id: string, messageId: string): void {
    if (this.isRunning(id)) return;
    this.change(id, ({ messages }) => {
      const at = messages.findIndex((one) => one.id === messageId);
      if (at < 0) return {};
      const next = messages.findIndex((one, index) => index > at && one.role === 'user');
      return { messages: [...messages.slice(0, at), ...(next < 0 ? [] : messages.slice(next))] };
    });
  }

  isRunning = (id: string): boolean => this.running.has(id);

  private askedWith(id: string): readonly Column[] {
    const { sync, columns } = this.state;
    return sync.prompt ? columns : columns.filter((one) => one.id === id);
  }

  /** Ask for an answer to what the column has; `kept` is the last message, where its answer is to go on. */
  private answer(id: string, kept: AssistantMessage = newAnswer()): void {
    const column = this.state.columns.find((one) => one.id === id);
    if (!column) return;
    const put = (change: Partial<AssistantMessage>): void =>
      this.change(id, (now) => ({ messages: [...now.messages.filter((one) => one.id !== kept.id), { ...kept, ...change }] }));
    const told = (progress: Progress) => (now: Column): Partial<Column> => {
      const whole = { ...progress, text: kept.text + progress.text, reasoning: kept.reasoning + progress.reasoning, others: [...kept.others, ...progress.others], tokens: [...kept.tokens, ...progress.tokens] };
      return { messages: now.messages.map((one): Message => (one.id === kept.id && one.role === 'assistant' ? { ...one, ...whole } : one)) };
    };
    let body: Record<string, unknown>;
    try {
      body = { model: column.endpoint, ...bodyOf(column, column.messages) };
      if (kept.text !== '') delete body.n; // it goes on alone
    } catch (error) {
      put({ status: 'failed', failure: { message: error instanceof Error ? error.message : String(error), requestId: null } });
      return;
    }
    const controller = new AbortController();
    this.running.set(id, controller);
    put({ status: 'running', failure: null, request: body });
    void this.ask(body, controller.signal, (progress: Progress) => {
      if (progress.status === 'running') {
        this.changeSoon(id, told(progress));
        return;
      }
      if (this.running.get(id) === controller) this.running.delete(id);
      this.pending.delete(id);
      this.change(id, told(progress));
    });
  }

  /** All columns that stream are drawn together, some times a second: the page has time for whoever uses it. */
  private changeSoon(id: string, make: (column: Column) => Partial<Column>): void {
    this.pending.set(id, make);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const makers = new Map(this.pending);
      this.pending.clear();
      this.put({ columns: this.state.columns.map((one) => (makers.has(one.id) ? { ...one, ...makers.get(one.id)?.(one) } : one)) });
    }, REDRAW_MS);
  }

  private change(id: string, make: (column: Column) => Partial<Column>): void {
    this.put({ columns: this.state.columns.map((one) => (one.id === id ? { ...one, ...make(one) } : one)) });
  }

  private put(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

/** The probabilities were those of the first answer's tokens. */
const preferring = (answer: AssistantMessage, other: number): AssistantMessage => ({
  ...answer,
  text: answer.others[other] ?? answer.text,
  others: answer.others.map((one, at) => (at === other ? answer.text : one)),
  tokens: [],
});

const indexOf = (column: Column, messageId: string): number => {
  const at = column.messages.findIndex((one) => one.id === messageId);
  return at < 0 ? column.messages.length : at;
};

export const playground = new Playground();
session.subscribe(() => {
  if (session.snapshot().status === 'signed-out') playground.reset(); // the next one to sign in may be somebody else
});

/** What one column has, by its id; undefined once it is closed. A column that streams draws nothing else again. */
export function useColumn<T>(id: string, select: (column: Column) => T): T | undefined {
  return usePlayground((state) => {
    const column = state.columns.find((one) => one.id === id);
    return column && select(column);
  });
}

export function usePlayground<T>(select: (state: State) => T): T {
  return useSyncExternalStore(playground.subscribe, () => select(playground.snapshot()));
}
