import { Alert, Button, Group, Progress, Stack, Text } from '@mantine/core';
import { IconGauge } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import { type Calibration, calibrationsQuery, endCalibration, isOpen, profilesQuery, startCalibration } from '@/api/calibrations';
import { useUser } from '@/api/user';
import { ProfileOf } from '@/features/models/profile';
import { ErrorPanel, Loaded } from '@/ui/feedback';

/** What the version can do on this machine; admins measure it here. */
export function CalibrationOf({ name, version }: { name: string; version: number }) {
  const user = useUser();
  const client = useQueryClient();
  const profiles = useQuery(profilesQuery(name, version));
  const calibrations = useQuery({ ...calibrationsQuery(name), enabled: user.is_admin });
  const own = calibrations.data?.filter((one) => one.entity_version === String(version)) ?? [];
  const open = own.filter(isOpen).at(-1);
  const last = own[0];
  const wasOpen = useRef(false);
  useEffect(() => {
    if (wasOpen.current && !open) void client.invalidateQueries({ queryKey: ['profiles', name, version] });
    wasOpen.current = open !== undefined;
  }, [open, client, name, version]);
  return (
    <Stack gap="sm" component="section" aria-label={`Throughput of version ${version}`} className="apart">
      <Text fw={600} size="sm" component="h3" m={0}>
        Throughput on this machine
      </Text>
      {open ? <Running one={open} /> : last?.state === 'FAILED' && <Failed one={last} />}
      <Loaded query={profiles} lines={1}>
        {([profile]) =>
          profile ? (
            <ProfileOf profile={profile} />
          ) : (
            !open && (
              <Text size="sm" c="dimmed">
                Not measured. Until it is, what an endpoint of it promises is an estimate from its size.
              </Text>
            )
          )
        }
      </Loaded>
      {user.is_admin && !open && calibrations.isSuccess && <Start name={name} version={version} isAgain={profiles.data?.[0] !== undefined} />}
    </Stack>
  );
}

const Failed = ({ one }: { one: Calibration }) => (
  <Alert color="red" variant="light" title="The last calibration failed">
    {one.message}
  </Alert>
);

function useChange(name: string): [unknown, (run: () => Promise<unknown>) => void] {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const change = async (run: () => Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await run();
      await client.invalidateQueries({ queryKey: ['calibrations', name] });
    } catch (problem) {
      setError(problem);
    }
  };
  return [error, (run) => void change(run)];
}

function Running({ one }: { one: Calibration }) {
  const [error, change] = useChange(one.entity_name);
  return (
    <Stack gap="xs">
      <Progress value={100 * one.progress} animated aria-label={`Calibration of version ${one.entity_version}`} />
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {Math.round(100 * one.progress)} %. {one.message}
        </Text>
        <Button size="xs" variant="default" onClick={() => change(() => endCalibration(one.id))}>
          End the calibration
        </Button>
      </Group>
      {error !== null && <ErrorPanel error={error} title="It was not ended" />}
    </Stack>
  );
}

function Start({ name, version, isAgain }: { name: string; version: number; isAgain: boolean }) {
  const [error, change] = useChange(name);
  const start = (isQuick: boolean): void => change(() => startCalibration(name, version, isQuick));
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button size="xs" variant="default" leftSection={<IconGauge size={14} aria-hidden />} onClick={() => start(false)}>
          {isAgain ? 'Calibrate again' : 'Calibrate'}
        </Button>
        <Button size="xs" variant="subtle" onClick={() => start(true)}>
          Quick
        </Button>
        <Text size="xs" c="dimmed">
          In full it takes some minutes, quick less than one. Other endpoints are slower meanwhile.
        </Text>
      </Group>
      {error !== null && <ErrorPanel error={error} title="The calibration was not started" />}
    </Stack>
  );
}
