import { ActionIcon, Alert, Badge, Button, Group, Menu, Paper, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconDots, IconLoader, IconPlus, type TablerIcon } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Fragment, useState } from 'react';

import { deleteAlias, deleteVersion, importModel, type Version } from '@/api/models';
import { CalibrationOf } from '@/features/models/calibration';
import { shownFacts } from '@/features/models/facts';
import { Transfer } from '@/features/models/transfer';
import type { Asked } from '@/features/models/version-dialogs';
import { dateTime } from '@/lib/format';
import { shownError } from '@/lib/problem';
import { fetched } from '@/lib/progress';
import { Fields } from '@/ui/fields';
import { told } from '@/ui/notify';
import { Said } from '@/ui/said';

const STATUS: Record<string, { words: string; color: string; icon: TablerIcon; turns?: true }> = {
  READY: { words: 'Ready', color: 'teal', icon: IconCircleCheck },
  PENDING_REGISTRATION: { words: 'Being imported', color: 'blue', icon: IconLoader, turns: true },
  FAILED_REGISTRATION: { words: 'Failed', color: 'red', icon: IconAlertTriangle },
};

type VersionProps = { name: string; version: Version; servedBy: readonly string[]; canManage: boolean; ask: (asked: Asked) => void };

export function VersionCard(props: VersionProps) {
  const { name, version, servedBy } = props;
  const isServable = version.status === 'READY' && !version.unservable_reason;
  return (
    <Paper withBorder p="md" radius="md" component="article" aria-label={`Version ${version.version}`}>
      <Head {...props} isServable={isServable} />
      <Stack gap="sm" mt="sm">
        {version.comment && (
          <Text size="sm" className="breaks">
            {version.comment}
          </Text>
        )}
        {version.status === 'PENDING_REGISTRATION' && <Transfer at={fetched(version.status_message)} words={version.status_message || 'Waiting for its files.'} label={`Import of version ${version.version}`} />}
        {version.status === 'FAILED_REGISTRATION' && (
          <Alert color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} role="note">
            <Stack gap="xs" align="flex-start">
              <span className="breaks">
                <Said words={version.status_message} /> Import the model again once that is put right.
              </span>
              {props.canManage && isOfHub(version) && <TryAgain name={name} version={version} />}
            </Stack>
          </Alert>
        )}
        {version.unservable_reason && (
          <Text size="sm" className="breaks">
            Cannot be served: <Said words={version.unservable_reason} />
          </Text>
        )}
        <Fields
          fields={[
            ...shownFacts(version.facts ?? {}),
            ['Source', version.source || '–'],
            ['Created', `${dateTime(version.created_at)} by ${version.created_by}`],
            ...(servedBy.length > 0 ? [['Served by', <Endpoints key="endpoints" names={servedBy} />] as const] : []),
          ]}
        />
        {isServable && <CalibrationOf name={name} version={version.version} />}
      </Stack>
    </Paper>
  );
}

function Head({ name, version, canManage, ask, isServable }: VersionProps & { isServable: boolean }) {
  const status = STATUS[version.status] ?? { words: version.status, color: 'gray', icon: IconAlertTriangle };
  return (
    <Group justify="space-between" align="flex-start">
      <Group gap="xs">
        <Text fw={600} component="h2" size="md" m={0}>
          Version {version.version}
        </Text>
        <Badge color={status.color} variant="light" className="badge" leftSection={<status.icon size={13} aria-hidden className={status.turns ? 'turns' : ''} />}>
          {status.words}
        </Badge>
        {version.aliases?.map(({ alias_name }) => <Alias key={alias_name} name={name} alias={alias_name} canManage={canManage} />)}
      </Group>
      <Group gap="xs">
        {isServable && (
          <Button size="xs" leftSection={<IconPlus size={14} aria-hidden />} renderRoot={(props) => <Link to="/create-endpoint" search={{ model: name, version: String(version.version) }} {...props} />}>
            Serve
          </Button>
        )}
        {canManage && (
          <Menu position="bottom-end" withinPortal>
            <Menu.Target>
              <ActionIcon variant="default" size={30} aria-label={`Actions for version ${version.version}`}>
                <IconDots size={14} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {version.status === 'READY' && <Menu.Item onClick={() => ask({ kind: 'alias', version: version.version })}>Add an alias</Menu.Item>}
              <Menu.Item color="red" onClick={() => ask({ kind: 'delete', version: version.version })}>
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
    </Group>
  );
}

const isOfHub = ({ source }: Version): boolean => source.startsWith('hf://');

/** Fetches it anew as the next version; the one that failed goes then. */
function TryAgain({ name, version }: { name: string; version: Version }) {
  const client = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      const next = await importModel(name, version.source, version.comment);
      await deleteVersion(name, version.version);
      told(`It is being fetched again, as version ${next.version}.`);
    } catch (problem) {
      told(shownError(problem).message);
    } finally {
      await client.invalidateQueries({ queryKey: ['models'] });
      setBusy(false);
    }
  };
  return (
    <Button size="xs" variant="default" onClick={() => void run()} loading={isBusy}>
      Try again
    </Button>
  );
}

function Alias({ name, alias, canManage }: { name: string; alias: string; canManage: boolean }) {
  const client = useQueryClient();
  const remove = async (): Promise<void> => {
    try {
      await deleteAlias(name, alias);
      await client.invalidateQueries({ queryKey: ['models'] });
    } catch (problem) {
      told(shownError(problem).message);
    }
  };
  const button = (
    <button type="button" className="chip-remove" aria-label={`Remove alias ${alias}`} onClick={() => void remove()}>
      ×
    </button>
  );
  return (
    <Badge variant="default" className="badge" {...(canManage ? { rightSection: button } : {})}>
      {alias}
    </Badge>
  );
}

const Endpoints = ({ names }: { names: readonly string[] }) =>
  names.map((name, index) => (
    <Fragment key={name}>
      {index > 0 && ', '}
      <Link to="/endpoints/$name" params={{ name }} className="link">
        {name}
      </Link>
    </Fragment>
  ));
