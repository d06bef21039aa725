import { apiRoot } from '@/lib/base';
import { type ApiError, problemOf, unreachable } from '@/lib/problem';

export type User = { id: string; name: string; is_admin: boolean; groups: string[] };

/** `ended` is a session that ran out while somebody worked: the page stays, and asks for a token above it. */
export type SessionState =
  | { status: 'unknown' }
  | { status: 'signed-out' }
  | { status: 'signed-in'; user: User }
  | { status: 'ended'; user: User };

type Answer = { signed_in: false } | { signed_in: true; bearer: string; expires_in_s: number; user: User };

const EARLY_MS = 60_000;

/** The signed-in user and the bearer that stands for them; the bearer is in memory alone. */
export class Session {
  private state: SessionState = { status: 'unknown' };
  private bearer: { value: string; endsAt: number } | null = null;
  private renewal: Promise<string | null> | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly send: typeof fetch = (...given) => fetch(...given),
    private readonly now: () => number = Date.now,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): SessionState => this.state;

  /** Who was signed in before the page was loaded, if anybody. Rejects with an `ApiError`. */
  async restore(): Promise<void> {
    await this.renew();
  }

  /** Rejects with an `ApiError` for a token that is not known. */
  async signIn(token: string): Promise<void> {
    // Latin-1 is all that a header can hold; the server's own words refuse the rest.
    const header = /^[\x21-\x7e]+$/.test(token) ? token : 'x';
    this.accept(await this.ask('POST', header));
  }

  async signOut(): Promise<void> {
    const bearer = this.bearer?.value;
    this.bearer = null;
    this.put({ status: 'signed-out' });
    await this.ask('DELETE', bearer).catch(() => undefined);
  }

  /** A bearer that is good for a while; null when nobody is signed in any more. */
  async token(): Promise<string | null> {
    if (this.bearer && this.bearer.endsAt - this.now() > EARLY_MS) return this.bearer.value;
    return this.renew();
  }

  /** After a 401: another bearer than the one that was refused, or null. */
  async tokenInsteadOf(refused: string): Promise<string | null> {
    if (this.bearer && this.bearer.value !== refused) return this.bearer.value;
    return this.renew();
  }

  private renew(): Promise<string | null> {
    this.renewal ??= this.ask('GET')
      .then((answer) => this.accept(answer))
      .finally(() => {
        this.renewal = null;
      });
    return this.renewal;
  }

  private accept(answer: Answer): string | null {
    if (answer.signed_in) {
      this.bearer = { value: answer.bearer, endsAt: this.now() + answer.expires_in_s * 1000 };
      this.put({ status: 'signed-in', user: answer.user });
      return answer.bearer;
    }
    this.bearer = null;
    if ('user' in this.state) this.put({ status: 'ended', user: this.state.user });
    else this.put({ status: 'signed-out' });
    return null;
  }

  private async ask(method: string, bearer?: string): Promise<Answer> {
    const headers = new Headers(bearer ? { authorization: `Bearer ${bearer}` } : {});
    let answer: Response;
    try {
      answer = await this.send(new URL('ui/session', apiRoot()), { method, headers, credentials: 'same-origin' });
    } catch {
      throw unreachable();
    }
    if (!answer.ok) throw await problem(answer);
    return (await answer.json()) as Answer;
  }

  private put(state: SessionState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

export async function problem(answer: Response): Promise<ApiError> {
  return problemOf(answer.status, await answer.text(), answer.headers.get('x-request-id'), answer.headers.get('x-openfm-param'));
}

export const session = new Session();
