import { Button, Group } from '@mantine/core';
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { Empty, ErrorPanel } from '@/ui/feedback';
import { Page } from '@/ui/page';

const Home = () => <Button renderRoot={(props) => <Link to="/endpoints" {...props} />}>Go to the serving endpoints</Button>;

export function NotFound() {
  return (
    <Page title="There is no such page">
      <Empty title="Nothing is at this address" action={<Home />}>
        The link may be old, or a letter of it missing.
      </Empty>
    </Page>
  );
}

/** Around what is wrong with a page whose code could not be had. */
export const NotLoaded = ({ children }: { children: ReactNode }) => <Page title="This page could not be loaded">{children}</Page>;

/** In the place of a page that threw; what is around it goes on. */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const again = (): void => {
    reset();
    void router.invalidate();
  };
  return (
    <Page title="This page failed">
      <ErrorPanel error={error} onRetry={again} title="It is our mistake, not yours" />
      <Group>
        <Button variant="default" onClick={() => window.location.reload()}>
          Load the page anew
        </Button>
        <Home />
      </Group>
    </Page>
  );
}
