import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import { versionsQuery } from '@/api/models';
import { VersionCard } from '@/features/models/version-card';
import { AliasDialog, type Asked, DeleteVersion } from '@/features/models/version-dialogs';
import { Empty, Loaded } from '@/ui/feedback';

/** A model's versions, the newest first. */
export function Versions({ name, canManage }: { name: string; canManage: boolean }) {
  const versions = useQuery(versionsQuery(name));
  const endpoints = useQuery(endpointsQuery).data ?? [];
  const [asked, ask] = useState<Asked | null>(null);
  const servedBy = (version: number): string[] =>
    endpoints
      .filter((one) => one.config?.served_entities.some((entity) => entity.entity_name === name && entity.entity_version === String(version)))
      .map((one) => one.name);
  return (
    <Loaded query={versions}>
      {(found) =>
        found.length === 0 ? (
          <Empty title="No versions yet">Import one from the hub or from this computer.</Empty>
        ) : (
          <Stack>
            {found.map((version) => (
              <VersionCard key={version.id} name={name} version={version} servedBy={servedBy(version.version)} canManage={canManage} ask={ask} />
            ))}
            {asked?.kind === 'alias' && <AliasDialog name={name} version={asked.version} onClose={() => ask(null)} />}
            {asked?.kind === 'delete' && <DeleteVersion name={name} version={asked.version} onClose={() => ask(null)} />}
          </Stack>
        )
      }
    </Loaded>
  );
}
