import { Center, Loader, Modal } from '@mantine/core';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect, useState, useSyncExternalStore } from 'react';

import { session } from '@/api/session';
import { queries } from '@/app/queries';
import { router } from '@/app/router';
import { SignInForm, SignInPage } from '@/features/signin/sign-in';
import { forgetHere } from '@/lib/kept';
import { ErrorPanel } from '@/ui/feedback';

const ABOVE_DIALOGS = 400;

/** Sign-in first; then the pages, which stay as they are when a session ends in the middle of work. */
export function App() {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  const [error, setError] = useState<unknown>(null);
  const restore = (): void => {
    setError(null);
    session.restore().catch(setError);
  };
  useEffect(restore, []);
  useEffect(() => {
    if (state.status === 'signed-out') {
      queries.clear();
      forgetHere();
    }
    if (state.status === 'signed-in') void queries.invalidateQueries();
  }, [state.status]);

  if (state.status === 'signed-out') return <SignInPage />;
  if (state.status === 'unknown')
    return <Center mih="100vh">{error === null ? <Loader aria-label="Loading" /> : <ErrorPanel error={error} onRetry={restore} />}</Center>;
  return (
    <>
      <RouterProvider router={router} />
      <Modal opened={state.status === 'ended'} onClose={() => void session.signOut()} title="Your session has ended" closeOnClickOutside={false} closeOnEscape={false} zIndex={ABOVE_DIALOGS}>
        <SignInForm intro="Sign in again to go on where you were; what you wrote is still there." />
      </Modal>
    </>
  );
}
