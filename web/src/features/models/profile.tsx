import { Alert, Group, Stack } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';

import type { Profile } from '@/api/calibrations';
import { objectiveText } from '@/features/models/curves';
import { bytes, dateTime } from '@/lib/format';
import { Loading } from '@/ui/feedback';
import { Fields } from '@/ui/fields';
import { Said } from '@/ui/said';

const Curves = lazy(() => import('@/features/models/profile-curves'));

const decimal = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });

/** What was measured, and what it means; its curves on demand. */
export function ProfileOf({ profile }: { profile: Profile }) {
  const [isOpen, setOpen] = useState(false);
  const { setting } = profile;
  const { engine, hardware } = setting;
  const [prompt, completion] = setting.shape;
  return (
    <Stack gap="sm">
      {profile.warning && (
        <Alert color="yellow" variant="light" icon={<IconAlertTriangle aria-hidden />} role="note">
          <Said words={profile.warning} />
        </Alert>
      )}
      <Fields
        fields={[
          ['Sold in units of', `${profile.throughput_chunk_size} tokens/s`],
          ['Within the objective', `${decimal(profile.knee_work_per_s)} tokens/s, ${decimal(profile.knee_requests_per_s)} requests/s`],
          ['At most', `${decimal(profile.saturated_work_per_s)} tokens/s`],
          ['Of requests with', `${prompt} input and ${completion} output tokens`],
          ['Objective', objectiveText(setting.objective)],
          ['Load', `${decimal(setting.load_s)} s, ${bytes(setting.memory_bytes)}`],
          ['Hardware', [hardware.processor, `${hardware.cores} cores`, bytes(hardware.memory_bytes), ...hardware.gpus].join(', ')],
          ['Engine', `${engine.name} ${engine.version}, ${engine.slots} at once`],
          ['Measured', dateTime(setting.measured_at)],
        ]}
      />
      <Group>
        <button type="button" className="link-button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? 'Hide the curves' : 'Show the curves'}
        </button>
      </Group>
      {isOpen && (
        <Suspense fallback={<Loading lines={3} />}>
          <Curves profile={profile} />
        </Suspense>
      )}
    </Stack>
  );
}
