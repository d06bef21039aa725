import { expect, test } from 'vitest';

import { Session } from '@/api/session';

const USER = { id: '1', name: 'ann', is_admin: false, groups: [] };
const signedIn = (bearer: string): object => ({ signed_in: true, bearer, expires_in_s: 600, user: USER });

/** A server that answers with these, one after the other, and remembers what it was asked. */
function server(...answers: object[]): { send: typeof fetch; asked: [string, string | null][] } {
  const asked: [string, string | null][] = [];
  const send = (_: unknown, given?: RequestInit): Promise<Response> => {
    asked.push([given?.method ?? 'GET', new Headers(given?.headers).get('authorization')]);
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new TypeError('gone')) : Promise.resolve(Response.json(answer));
  };
  return { send, asked };
}

test('A token is exchanged for a bearer, which is asked for again before it ends', async () => {
  let now = 0;
  const { send, asked } = server(signedIn('first'), signedIn('second'));
  const session = new Session(send, () => now);
  await session.signIn('dapi1');
  expect(asked).toEqual([['POST', 'Bearer dapi1']]);
  expect(await session.token()).toBe('first');
  now = 550_000;
  expect(await session.token()).toBe('second');
});

test('Many who need a bearer at once ask once', async () => {
  const { send, asked } = server(signedIn('first'));
  const session = new Session(send);
  expect(await Promise.all([session.token(), session.token(), session.token()])).toEqual(['first', 'first', 'first']);
  expect(asked).toHaveLength(1);
});

test('A session that ends in the middle of work keeps who worked', async () => {
  const { send } = server(signedIn('first'), { signed_in: false });
  const session = new Session(send);
  await session.signIn('dapi1');
  expect(await session.tokenInsteadOf('first')).toBeNull();
  expect(session.snapshot()).toEqual({ status: 'ended', user: USER });
});

test('A server that is gone is told as that, and signs nobody out', async () => {
  const { send } = server(signedIn('first'));
  const session = new Session(send);
  await session.signIn('dapi1');
  await expect(session.tokenInsteadOf('first')).rejects.toThrow(/reach/);
  expect(session.snapshot().status).toBe('signed-in');
});
