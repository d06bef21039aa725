import { useSyncExternalStore } from 'react';

import { session, type User } from '@/api/session';

const NOBODY: User = { id: '', name: '', is_admin: false, groups: [] };

/** Who is signed in, or was until the session ended. */
export function useUser(): User {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  return 'user' in state ? state.user : NOBODY;
}
