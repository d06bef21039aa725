import { describe, expect, test, vi } from 'vitest';

import { Playground } from '@/features/playground/store';
import { emptyStats, type Progress } from '@/features/playground/stream';
import type { AssistantMessage, Column, ToolCall } from '@/features/playground/types';

type Told = (progress: Progress) => void;

/** An engine whose answers come when the test says so. */
class Engine {
  readonly asked: { body: Record<string, unknown>; signal: AbortSignal; tell: Told }[] = [];
  readonly ask = (body: Record<string, unknown>, signal: AbortSignal, tell: Told): Promise<void> => {
    this.asked.push({ body, signal, tell });
    return Promise.resolve();
  };
  calls: ToolCall[] = [];
  others: string[] = [];
  say(at: number, text: string, status: Progress['status'] = 'done'): void {
    this.asked[at]?.tell({ text, reasoning: '', toolCalls: this.calls, others: this.others, tokens: [], status, stats: emptyStats(), failure: null, events: [], eventCount: 1 });
  }
}

function playing(columns = 1): { engine: Engine; board: Playground; column: (at: number) => Column } {
  const engine = new Engine();
  const board = new Playground(engine.ask);
  const column = (at: number): Column => {
    const found = board.snapshot().columns[at];
    if (!found) throw new Error(`There is no column ${at}.`);
    return found;
  };
  board.setEndpoint(column(0).id, 'one');
  for (let more = 1; more < columns; more++) board.addColumn(`other-${more}`);
  return { engine, board, column };
}
const texts = (column: Column): string[] => column.messages.map((one) => `${one.role}: ${one.text}`);

describe('The board', () => {
  test('asks every column the same prompt at once, and empties the field', () => {
    const { engine, board, column } = playing(3);
    board.setDraft(column(0).id, 'Hello');
    board.send(column(0).id);
    expect(engine.asked.map(({ body }) => body.model)).toEqual(['one', 'other-1', 'other-2']);
    expect(board.snapshot().draft).toBe('');
  });

  test('keeps the draft until every column that it is for can take it', () => {
    const { engine, board, column } = playing(2);
    board.setDraft(column(0).id, 'Hello');
    board.send(column(0).id);
    board.setDraft(column(0).id, 'And now?');
    engine.say(0, 'Hi');
    board.send(column(0).id);
    expect(board.snapshot().draft).toBe('And now?');
    expect(engine.asked).toHaveLength(2);
    engine.say(1, 'Hi');
    board.send(column(0).id);
    expect(board.snapshot().draft).toBe('');
    expect(engine.asked).toHaveLength(4);
  });

  test('goes on in the others when one column fails', () => {
    const { engine, board, column } = playing(2);
    board.setDraft(column(0).id, 'Hello');
    board.send(column(0).id);
    engine.asked[0]?.tell({ text: '', reasoning: '', toolCalls: [], others: [], tokens: [], status: 'failed', stats: emptyStats(), failure: { message: 'No.', requestId: 'r' }, events: [], eventCount: 0 });
    engine.say(1, 'Hi');
    expect((column(0).messages[1] as AssistantMessage).failure?.message).toBe('No.');
    expect(texts(column(1))).toEqual(['user: Hello', 'assistant: Hi']);
  });

  test('has at most four columns', () => {
    const { board } = playing(9);
    expect(board.snapshot().columns).toHaveLength(4);
  });

  test('keeps prompts apart where they are not the same for all', () => {
    const { engine, board, column } = playing(2);
    board.setSync({ prompt: false });
    board.setDraft(column(1).id, 'Only you');
    board.send(column(1).id);
    expect(engine.asked.map(({ body }) => body.model)).toEqual(['other-1']);
    expect(column(0).messages).toEqual([]);
  });

  test('keeps system prompts and parameters the same apart from each other', () => {
    const { board, column } = playing(2);
    board.setSync({ system: false });
    board.setSettings(column(0).id, { system: 'Be short.' });
    board.setSettings(column(0).id, { params: { temperature: 0 } });
    expect([column(0).system, column(1).system]).toEqual(['Be short.', '']);
    expect(column(1).params).toEqual({ temperature: 0 });
    board.setSync({ system: true });
    expect(column(1).system).toBe('Be short.');
  });

  test('goes on with the answer that is chosen among several, and with it alone', () => {
    const { engine, board, column } = playing();
    board.setSettings(column(0).id, { params: { n: 2 } });
    board.setDraft(column(0).id, 'Hello');
    board.send(column(0).id);
    engine.others = ['Hello you'];
    engine.say(0, 'Hi', 'done');
    const [, answer] = column(0).messages;
    board.prefer(column(0).id, answer?.id ?? '', 0);
    expect(column(0).messages[1]).toMatchObject({ text: 'Hello you', others: ['Hi'] });
    board.goOn(column(0).id, answer?.id ?? '');
    expect(engine.asked.map(({ body }) => body.n)).toEqual([2, undefined]);
  });

  test('keeps what had come when it is stopped', () => {
    const { engine, board, column } = playing();
    board.setDraft(column(0).id, 'Count');
    board.send(column(0).id);
    board.stop(column(0).id);
    expect(engine.asked[0]?.signal.aborted).toBe(true);
    engine.say(0, 'one two', 'stopped');
    expect(texts(column(0))).toEqual(['user: Count', 'assistant: one two']);
    expect(board.isRunning(column(0).id)).toBe(false);
  });

  test('answers again in the place of an answer, and what came after it goes', () => {
    const { engine, board, column } = playing();
    for (const [at, prompt] of ['a', 'b'].entries()) {
      board.setDraft(column(0).id, prompt);
      board.send(column(0).id);
      engine.say(at, prompt.toUpperCase());
    }
    board.regenerate(column(0).id, column(0).messages[1]?.id ?? '');
    engine.say(2, 'another');
    expect(texts(column(0))).toEqual(['user: a', 'assistant: another']);
  });

  test('lets an answer go on where it ended', () => {
    const { engine, board, column } = playing();
    board.setDraft(column(0).id, 'Count');
    board.send(column(0).id);
    engine.say(0, 'one two');
    board.goOn(column(0).id, column(0).messages[1]?.id ?? '');
    expect(engine.asked[1]?.body.messages).toEqual([{ role: 'user', content: 'Count' }, { role: 'assistant', content: 'one two' }]);
    engine.say(1, ' three', 'running');
    engine.say(1, ' three four');
    expect(texts(column(0))).toEqual(['user: Count', 'assistant: one two three four']);
  });

  test('branches a conversation at a message, and what comes then stays apart', () => {
    const { engine, board, column } = playing();
    board.setDraft(column(0).id, 'Count');
    board.send(column(0).id);
    engine.say(0, 'one');
    board.setDraft(column(0).id, 'On');
    board.send(column(0).id);
    engine.say(1, 'two');
    board.branch(column(0).id, column(0).messages[1]?.id ?? '');
    expect(texts(column(1))).toEqual(['user: Count', 'assistant: one']);
    expect(column(1).endpoint).toBe('one');
    board.setDraft(column(1).id, 'Back');
    board.send(column(1).id);
    engine.say(2, 'zero');
    expect(texts(column(1))).toEqual(['user: Count', 'assistant: one', 'user: Back', 'assistant: zero']);
    expect(texts(column(0))).toHaveLength(4);
  });

  test('tells the model what its calls gave, and removes them with the answer that made them', () => {
    const { engine, board, column } = playing();
    board.setDraft(column(0).id, 'Weather?');
    board.send(column(0).id);
    engine.calls = [{ id: 'c', name: 'f', arguments: '{}' }];
    engine.say(0, '');
    engine.calls = [];
    board.respond(column(0).id, [{ callId: 'c', name: 'f', text: 'sunny' }]);
    engine.say(1, 'It is sunny.');
    expect(texts(column(0))).toEqual(['user: Weather?', 'assistant: ', 'tool: sunny', 'assistant: It is sunny.']);
    board.remove(column(0).id, column(0).messages[1]?.id ?? '');
    expect(texts(column(0))).toEqual(['user: Weather?']);
  });

  test('removes an answer with the question that it is for', () => {
    const { engine, board, column } = playing();
    board.setDraft(column(0).id, 'a');
    board.send(column(0).id);
    engine.say(0, 'A');
    board.remove(column(0).id, column(0).messages[0]?.id ?? '');
    expect(column(0).messages).toEqual([]);
  });

  test('draws columns that stream together, some times a second', () => {
    vi.useFakeTimers();
    const { engine, board, column } = playing(2);
    board.setDraft(column(0).id, 'a');
    board.send(column(0).id);
    let drawn = 0;
    board.subscribe(() => drawn++);
    for (let word = 0; word < 100; word++) for (const at of [0, 1]) engine.say(at, `word ${word}`, 'running');
    expect(drawn).toBe(0);
    vi.advanceTimersByTime(60);
    expect(drawn).toBe(1);
    expect(texts(column(1))[1]).toBe('assistant: word 99');
    vi.useRealTimers();
  });
});
