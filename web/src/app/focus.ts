import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

/** A screen reader hears the new page's heading, and Tab goes on from there. */
export function useFocusOnNavigation(): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe('onRendered', ({ fromLocation, pathChanged }) => {
        if (!fromLocation || !pathChanged) return; // the first page leaves the focus to the browser
        window.scrollTo(0, 0);
        const heading = document.getElementById('page-title') ?? document.getElementById('main');
        heading?.focus({ preventScroll: true });
      }),
    [router],
  );
}

/** Past the header and the sidebar. With <base>, a bare fragment would load the pages' root. */
export function focusMain(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
