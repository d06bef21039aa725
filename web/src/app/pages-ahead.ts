import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

const PAUSE_MS = 2_000;

type Preloadable = { preload?: () => Promise<void> };

/** The other pages' code comes while nobody waits for anything: then they open at once, and with the server gone too. */
export function usePagesAhead(): void {
  const router = useRouter();
  useEffect(() => {
    let isGone = false;
    const preload = async (): Promise<void> => {
      for (const { options } of Object.values(router.routesById)) {
        if (isGone) return;
        await (options.component as Preloadable | undefined)?.preload?.(); // one after another: the page's own questions go first
      }
    };
    const timer = setTimeout(() => void preload(), PAUSE_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [router]);
}
