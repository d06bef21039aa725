import { z } from 'zod';

import { session } from '@/api/session';
import { fromJson } from '@/features/playground/saved';
import type { Playground } from '@/features/playground/store';
import { keepHere, keptHere } from '@/lib/kept';

const NAME = 'playground';
/** In characters; a tab has room for some five million. Conversations that are longer are for a file. */
const LONGEST = 4_000_000;

const entry = z.object({ user: z.string(), state: z.unknown() });

function user(): string | null {
  const now = session.snapshot();
  return 'user' in now ? now.user.id : null;
}

/** Go on with what this tab had when the page was loaded anew, if that was by the same user, and keep it for the next time. */
export function remember(board: Playground): void {
  const found = entry.safeParse(keptHere(NAME));
  if (found.success && found.data.user === user()) {
    try {
      board.restore(fromJson(found.data.state));
    } catch {
      // kept by an older page: begin anew
    }
  }
  // Only then: to write while answers come would take time from them.
  window.addEventListener('pagehide', () => {
    const now = user();
    if (now !== null) keepHere(NAME, { user: now, state: board.snapshot() }, LONGEST);
  });
}
