import { Modal, Stack, Tabs, Text } from '@mantine/core';

import type { AssistantMessage } from '@/features/playground/types';
import { count } from '@/lib/format';
import { inert } from '@/lib/inert';
import { Code } from '@/ui/code';

/** What was sent, and each event of the answer with the time at which it came. */
export function RawDialog({ message, onClose }: { message: AssistantMessage; onClose: () => void }) {
  const events = message.events.map(({ ms, data }) => `${ms.toFixed(1).padStart(9)} ms  ${data}`).join('\n');
  const request = { ...message.request, stream: true, stream_options: { include_usage: true } };
  return (
    <Modal opened onClose={onClose} title="Request and raw events" size="xl">
      <Tabs defaultValue="events" keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="events">Events</Tabs.Tab>
          <Tabs.Tab value="request">Request</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="events">
          <Stack gap="xs">
            <Text size="sm" c="dimmed">
              {count(message.eventCount)} events{message.eventCount > message.events.length ? `, the first ${count(message.events.length)} of them here` : ''}. Times are from the sending on.
            </Text>
            <Code text={inert(events) || 'No event came.'} label="events" height="60vh" />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="request">
          <Code text={JSON.stringify(request, null, 2)} label="request" height="60vh" />
        </Tabs.Panel>
      </Tabs>
    </Modal>
  );
}
