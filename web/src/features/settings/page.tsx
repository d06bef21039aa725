import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';

import { useUser } from '@/api/user';
import { Limits } from '@/features/settings/limits';
import { Platform } from '@/features/settings/platform';
import { Prices } from '@/features/settings/prices';
import { Shares } from '@/features/settings/shares';
import { Retention } from '@/features/settings/retention';
import { Empty } from '@/ui/feedback';
import { Page } from '@/ui/page';
import { TabList } from '@/ui/tab-list';

const TABS = [
  { value: 'prices', title: 'Prices', Panel: Prices },
  { value: 'limits', title: 'Limits', Panel: Limits },
  { value: 'shares', title: 'Fair shares', Panel: Shares },
  { value: 'retention', title: 'Retention', Panel: Retention },
  { value: 'platform', title: 'Platform', Panel: Platform },
] as const;

export function SettingsPage() {
  const user = useUser();
  const asked = useSearch({ from: '/settings' }).tab;
  const navigate = useNavigate();
  const tab = TABS.find(({ value }) => value === asked)?.value ?? 'prices';
  if (!user.is_admin)
    return (
      <Page title="Settings">
        <Empty title="Only admins change settings">The limits that bind you are on each endpoint’s page, what you used on the page Usage.</Empty>
      </Page>
    );
  return (
    <Page title="Settings">
      <Tabs value={tab} onChange={(to) => void navigate({ to: '/settings', search: to && to !== 'prices' ? { tab: to } : {}, replace: true })} keepMounted={false}>
        <TabList tabs={TABS.map(({ value, title }) => [value, title])} chosen={tab} />
        {TABS.map(({ value, Panel }) => (
          <Tabs.Panel key={value} value={value}>
            <Panel />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
