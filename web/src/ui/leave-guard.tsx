import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useBlocker } from '@tanstack/react-router';

/** Asks before somebody leaves a page with work that nobody has kept. Who leaves on purpose navigates with `ignoreBlocker`. */
export function LeaveGuard({ isDirty }: { isDirty: boolean }) {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => isDirty && current.pathname !== next.pathname,
    enableBeforeUnload: false,
    withResolver: true,
  });
  if (blocker.status !== 'blocked') return null;
  return (
    <Modal opened onClose={blocker.reset} title="Leave this page?" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Text size="sm">What you wrote here was not sent, and will be gone.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={blocker.reset}>
            Stay
          </Button>
          <Button color="red.9" onClick={blocker.proceed}>
            Leave
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
