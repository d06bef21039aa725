import { problem, session } from '@/api/session';
import { apiRoot } from '@/lib/base';
import { ApiError, unreachable } from '@/lib/problem';

const ended = (): ApiError => new ApiError('Your session has ended. Sign in again to go on.', 401, 'UNAUTHENTICATED', null);

/** `fetch` as the signed-in user, renewing the bearer where it ran out. Rejects with an `ApiError`, or as aborted. */
export async function authorizedFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const send = async (bearer: string): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${bearer}`);
    try {
      return await fetch(input, { ...init, headers, credentials: 'omit' });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw unreachable();
    }
  };
  const bearer = await session.token();
  if (bearer === null) throw ended();
  const answer = await send(bearer);
  if (answer.status !== 401) return answer;
  const another = await session.tokenInsteadOf(bearer);
  if (another === null) throw ended();
  return send(another);
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function ask(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  const answer = await authorizedFetch(new URL(path.replace(/^\//, ''), apiRoot()), init);
  if (!answer.ok) throw await problem(answer);
  return answer;
}

const json =
  (method: Method) =>
  async (path: string, body?: unknown): Promise<unknown> => {
    const text = await (await ask(method, path, body)).text();
    return text === '' ? null : JSON.parse(text); // 204 has no body
  };

/** The management API; each call rejects with an `ApiError`. */
export const http = {
  get: async (path: string, signal?: AbortSignal): Promise<unknown> => (await ask('GET', path, undefined, signal)).json(),
  text: async (path: string, signal?: AbortSignal): Promise<string> => (await ask('GET', path, undefined, signal)).text(),
  post: json('POST'),
  put: json('PUT'),
  patch: json('PATCH'),
  delete: json('DELETE'),
};

/** A path with names in it, each escaped. */
export const path = (parts: TemplateStringsArray, ...names: (string | number)[]): string =>
  parts.reduce((made, part, index) => made + encodeURIComponent(String(names[index - 1] ?? '')) + part);
