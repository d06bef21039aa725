import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import { IconEyeOff } from '@tabler/icons-react';
import type { ReactNode } from 'react';

import { Code } from '@/ui/code';

/** A secret that nobody will see again; only its own button closes it. */
export function ShownOnce({ title, value, label, children, onClose }: { title: string; value: string; label: string; children: ReactNode; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title={title} closeOnClickOutside={false} closeOnEscape={false} withCloseButton={false} size="lg">
      <Stack>
        <Alert color="yellow" variant="light" icon={<IconEyeOff aria-hidden />} title="Copy it now: it is shown this once" role="note">
          {children}
        </Alert>
        <div className="wraps">
          <Code text={value} label={label} />
        </div>
        <Group justify="flex-end">
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
