import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

import { Budgets } from '@/features/usage/budgets';
import { Dashboard } from '@/features/usage/dashboard';
import type { Filter } from '@/parts/usage/filters';
import { InvoiceView } from '@/features/usage/invoice';
import { Requests } from '@/features/usage/requests';
import { SqlView } from '@/features/usage/sql';
import { Page } from '@/ui/page';
import { TabList } from '@/ui/tab-list';

const TABS = { overview: 'Overview', requests: 'Requests', budgets: 'Budgets', invoice: 'Invoice', sql: 'SQL' };

/** What was used and what it cost; where somebody looks is in the address, to be shared. */
export function UsagePage() {
  const search = useSearch({ from: '/usage' });
  const navigate = useNavigate({ from: '/usage' });
  const filter: Filter = useCallback((change) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true }), [navigate]);
  const tab = search.tab !== undefined && search.tab in TABS ? search.tab : 'overview';
  return (
    <Page title="Usage" subtitle="From the ledger: each request once, with what it cost. Times are in UTC.">
      <Tabs value={tab} onChange={(to) => filter({ tab: to ?? undefined })} keepMounted={false}>
        <TabList tabs={Object.entries(TABS)} chosen={tab} />
        <Tabs.Panel value="overview">
          <Dashboard search={search} filter={filter} />
        </Tabs.Panel>
        <Tabs.Panel value="requests">
          <Requests search={search} filter={filter} />
        </Tabs.Panel>
        <Tabs.Panel value="budgets">
          <Budgets />
        </Tabs.Panel>
        <Tabs.Panel value="invoice">
          <InvoiceView />
        </Tabs.Panel>
        <Tabs.Panel value="sql">
          <SqlView />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
