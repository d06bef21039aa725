import { Button, Tabs } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import { platformQuery } from '@/api/endpoints';
import { modelsQuery } from '@/api/models';
import { Catalogue } from '@/features/models/catalogue';
import { ImportDialog } from '@/features/models/import-dialog';
import { Installed } from '@/features/models/installed';
import { Loaded } from '@/ui/feedback';
import { Page } from '@/ui/page';

/** What is here, apart from what could be: nobody begins a download of gigabytes by mistake. */
export function ModelsPage() {
  const search = useSearch({ from: '/models' });
  const tab = search.tab === 'catalogue' ? 'catalogue' : 'installed';
  const navigate = useNavigate();
  const [imports, setImports] = useState(search.import !== undefined);
  const models = useQuery(modelsQuery);
  const platform = useQuery(platformQuery);
  const importButton = (
    <Button leftSection={<IconDownload size={16} aria-hidden />} onClick={() => setImports(true)}>
      Import a model
    </Button>
  );
  return (
    <Page title="Models" subtitle="What endpoints serve: each model has versions, and aliases that point to them." actions={importButton}>
      <Tabs value={tab} onChange={(to) => void navigate({ to: '/models', search: to === 'catalogue' ? { tab: to } : {}, replace: true })} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="installed">Installed</Tabs.Tab>
          <Tabs.Tab value="catalogue">Catalogue</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="installed">
          <Loaded query={models}>{(found) => <Installed models={found} onImport={() => setImports(true)} />}</Loaded>
        </Tabs.Panel>
        <Tabs.Panel value="catalogue">
          <Loaded query={platform}>{(found) => <Catalogue models={found.models} />}</Loaded>
        </Tabs.Panel>
      </Tabs>
      {imports && <ImportDialog onClose={() => setImports(false)} />}
    </Page>
  );
}
