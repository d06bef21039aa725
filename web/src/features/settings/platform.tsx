import { Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { type Platform as Facts, platformQuery } from '@/api/endpoints';
import { bytes, count } from '@/lib/format';
import { Loaded } from '@/ui/feedback';
import { type Column, DataTable } from '@/ui/table';

type Bound = Facts['limits'][number];

const columns: Column<Bound>[] = [
  { key: 'name', title: 'Bound', sort: (one) => one.name, cell: (one) => one.name },
  { key: 'value', title: 'Value', isNumber: true, cell: (one) => (one.unit === 'bytes' ? bytes(one.value) : `${count(one.value)} ${one.unit}`) },
  { key: 'setting', title: 'Setting', sort: (one) => one.setting ?? '', cell: (one) => (one.setting ? <code>OPENFM_{one.setting.toUpperCase()}</code> : 'Fixed') },
];

export function Platform() {
  const query = useQuery(platformQuery);
  return <Loaded query={query}>{(found) => <Bounds facts={found} />}</Loaded>;
}

function Bounds({ facts }: { facts: Facts & { egress_allow?: string } }) {
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        What holds for everybody. Where a setting is named, change it in openfm.toml or in the environment, and start the server again.
      </Text>
      <DataTable label="Platform" columns={columns} rows={facts.limits} rowKey={(one) => one.name} />
      {facts.egress_allow !== undefined && (
        <>
          <Title order={2} size="h5">
            Where the server may call
          </Title>
          <Text size="sm">
            External models and downloads reach public addresses only, and of private ones:{' '}
            {facts.egress_allow ? <code className="breaks">{facts.egress_allow}</code> : <b>none</b>}. The setting is <code>OPENFM_EGRESS_ALLOW</code>. Models are fetched from the Hugging Face hub, or sent by whoever registers them.
          </Text>
        </>
      )}
    </Stack>
  );
}
