import { beforeEach, expect, test, vi } from 'vitest';

import { session } from '@/api/session';
import { remember } from '@/features/playground/remembered';
import { Playground } from '@/features/playground/store';

const signedInAs = (id: string): void => void vi.spyOn(session, 'snapshot').mockReturnValue({ status: 'signed-in', user: { id, name: id, is_admin: false, groups: [] } });
const leave = (): unknown => window.dispatchEvent(new Event('pagehide'));

function written(text: string): Playground {
  const board = new Playground();
  board.setDraft(board.snapshot().columns[0]?.id ?? '', text);
  return board;
}

beforeEach(() => {
  sessionStorage.clear();
  signedInAs('ann');
});

test('What a tab had is there again after a reload', () => {
  remember(written('a long thought'));
  leave();
  const board = new Playground();
  remember(board);
  expect(board.snapshot().draft).toBe('a long thought');
});

test('Nobody else gets it', () => {
  remember(written('a secret'));
  leave();
  signedInAs('bob');
  const board = new Playground();
  remember(board);
  expect(board.snapshot().draft).toBe('');
});

test('What is too long for a tab is forgotten, and not kept as it was before', () => {
  const board = written('short');
  remember(board);
  leave();
  board.setDraft(board.snapshot().columns[0]?.id ?? '', 'x'.repeat(5_000_000));
  leave();
  const again = new Playground();
  remember(again);
  expect(again.snapshot().draft).toBe('');
});
