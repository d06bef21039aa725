import { apiRoot } from '@/lib/base';

/** Whether the server answers at all; never rejects. */
export async function isAlive(signal?: AbortSignal): Promise<boolean> {
  try {
    return (await fetch(new URL('health/live', apiRoot()), { ...(signal ? { signal } : {}), cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}
