import { Button, Stack } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useState } from 'react';

import { exportUsage } from '@/api/sql';
import { sinceOf, type UsageSearch } from '@/parts/usage/filters';
import { download } from '@/lib/files';
import { isoDay } from '@/lib/format';
import { ErrorPanel } from '@/ui/feedback';

/** A file with every request of the whole days that are looked at; filters do not narrow it. */
export function RequestsExport({ search }: { search: UsageSearch }) {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    setError(null);
    setBusy(true);
    const now = Date.now();
    const [from, to] = [isoDay(sinceOf(search, now) * 1000), isoDay(now)];
    try {
      download(`requests-${from}-${to}.csv`, await exportUsage(from, to), 'text/csv');
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return (
    <Stack gap="xs">
      <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} loading={busy} onClick={() => void save()}>
        All of these days as CSV
      </Button>
      {error !== null && <ErrorPanel error={error} title="Nothing was exported" />}
    </Stack>
  );
}
