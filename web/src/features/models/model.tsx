import { Button, Tabs } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';

import { modelGrantsQuery } from '@/api/model-grants';
import { type Model, modelQuery } from '@/api/models';
import { useUser } from '@/api/user';
import { Description } from '@/features/models/description';
import { ImportDialog } from '@/features/models/import-dialog';
import { ModelPermissions } from '@/features/models/permissions';
import { mayManage } from '@/features/models/rights';
import { DeleteModel } from '@/features/models/version-dialogs';
import { Versions } from '@/features/models/versions';
import { dateTime } from '@/lib/format';
import { Loaded } from '@/ui/feedback';
import { Fields } from '@/ui/fields';
import { Page } from '@/ui/page';

export function ModelPage() {
  const { name } = useParams({ from: '/models/$name' });
  const model = useQuery(modelQuery(name));
  const grants = useQuery(modelGrantsQuery(name));
  const user = useUser();
  const [dialog, open] = useState<'delete' | 'import' | null>(null);
  const canManage = model.data !== undefined && mayManage(user, model.data, grants.data ?? []);
  return (
    <Page
      title={name}
      above={
        <Link to="/models" className="link" style={{ fontSize: 13 }}>
          ← Models
        </Link>
      }
      actions={
        canManage && (
          <>
            <Button leftSection={<IconDownload size={16} aria-hidden />} onClick={() => open('import')}>
              Import another version
            </Button>
            <Button variant="default" onClick={() => open('delete')}>
              Delete
            </Button>
          </>
        )
      }
    >
      <Loaded query={model}>{(found) => <Model model={found} canManage={canManage} />}</Loaded>
      {dialog === 'delete' && <DeleteModel name={name} onClose={() => open(null)} />}
      {dialog === 'import' && <ImportDialog name={name} onClose={() => open(null)} />}
    </Page>
  );
}

function Model({ model, canManage }: { model: Model; canManage: boolean }) {
  return (
    <>
      <Description model={model} canManage={canManage} />
      <Fields
        fields={[
          ['Owner', model.owner],
          ['Created', dateTime(model.created_at)],
          ['Last modified', dateTime(model.updated_at)],
        ]}
      />
      <Tabs defaultValue="versions" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="versions">Versions</Tabs.Tab>
          <Tabs.Tab value="permissions">Permissions</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="versions">
          <Versions name={model.full_name} canManage={canManage} />
        </Tabs.Panel>
        <Tabs.Panel value="permissions">
          <ModelPermissions model={model} canManage={canManage} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
