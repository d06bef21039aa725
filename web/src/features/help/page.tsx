import { Anchor, Group, Paper, Select, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { type Endpoint, endpointsQuery } from '@/api/endpoints';
import { addresses, environment, firstSamples, REFUSALS, streamSamples } from '@/features/help/samples';
import { serverUrl } from '@/lib/base';
import { taskName } from '@/lib/model';
import { Code, CodeTabs } from '@/ui/code';
import { Copy } from '@/ui/copy';
import { Empty, Loaded } from '@/ui/feedback';
import { Page } from '@/ui/page';

export function HelpPage() {
  const endpoints = useQuery(endpointsQuery);
  const server = serverUrl();
  return (
    <Page title="Help" subtitle="How programs use this server. What is shown here has its address in it and runs as it is.">
      <Step number={1} title="Where it is">
        <Addresses server={server} />
      </Step>
      <Step number={2} title="Who you are">
        <Text size="sm">
          <Link to="/tokens" className="link-in-text">
            Create an access token
          </Link>{' '}
          for each program and put it where your clients look for it. Never write it into a program.
        </Text>
        <CodeTabs samples={environment(server)} label="environment" />
      </Step>
      <Step number={3} title="Ask an endpoint">
        <Loaded query={endpoints}>{(found) => <Asking server={server} endpoints={found} />}</Loaded>
      </Step>
      <Step number={4} title="When it is refused">
        <Refusals />
      </Step>
      <Step number={5} title="Manage it by program">
        <Text size="sm">
          Whatever these pages do, the API does as well. Its routes and objects are Databricks’, so <code>databricks-sdk</code> works unchanged, and the command line has a verb for each page.
        </Text>
        <Code text={COMMANDS} label="commands" />
        <Text size="sm">
          All routes, with their fields:{' '}
          <Anchor href="../api/openapi.json" underline="always" size="sm">
            description of the API (OpenAPI)
          </Anchor>
          . How-to guides and the reference of models, fields, errors and commands are in the folder <code>docs</code> of openfm’s source.
        </Text>
      </Step>
    </Page>
  );
}

const COMMANDS = `openfm endpoints list
openfm models list --registered
openfm tokens create --comment nightly-job --lifetime 90d
openfm usage report --by endpoint --from 2026-01-01 --to 2026-01-31
openfm --help`;

function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Title order={2} size="h4">
          {number}. {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}

function Addresses({ server }: { server: string }) {
  return (
    <Stack gap="md">
      {addresses(server).map(({ what, url, words }) => (
        <div key={what}>
          <Text size="sm" fw={600}>
            {what}
          </Text>
          <Group gap={4} wrap="nowrap">
            <Text size="sm" ff="monospace" className="breaks">
              {url}
            </Text>
            <Copy value={url} label={`Copy the ${what}`} />
          </Group>
          <Text size="sm" c="dimmed">
            {words}
          </Text>
        </div>
      ))}
    </Stack>
  );
}

function Asking({ server, endpoints }: { server: string; endpoints: readonly Endpoint[] }) {
  const asked = useSearch({ from: '/help' }).endpoint;
  const navigate = useNavigate();
  const chosen = endpoints.find((one) => one.name === asked) ?? endpoints.find((one) => one.state.ready === 'READY' && one.task === 'llm/v1/chat') ?? endpoints[0];
  if (!chosen) return <Empty title="No endpoints yet">Create one, or ask an admin for Can query on theirs; then it is in these snippets.</Empty>;
  const { task } = chosen;
  return (
    <>
      <Select
        label="Endpoint"
        data={endpoints.map(({ name, task: its }) => ({ value: name, label: `${name} (${taskName(its)})` }))}
        value={chosen.name}
        onChange={(endpoint) => void navigate({ to: '/help', search: endpoint ? { endpoint } : {}, replace: true })}
        searchable
        allowDeselect={false}
        maw={440}
      />
      <CodeTabs samples={firstSamples(server, chosen.name, task)} label="question" />
      {task !== 'llm/v1/embeddings' && (
        <>
          <Text size="sm">To show the answer as it is written, ask for a stream:</Text>
          <CodeTabs samples={streamSamples(server, chosen.name, task)} label="stream" />
        </>
      )}
    </>
  );
}

function Refusals() {
  return (
    <>
      <Text size="sm">
        Every refusal is a sentence that says what to do. Its header <code>x-request-id</code> finds the request in the logs and in the ledger; show it when you ask somebody for help.
      </Text>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus */}
      <div className="scrolls table-frame" role="region" aria-label="Refusals" tabIndex={0}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Status</Table.Th>
              <Table.Th>What it means</Table.Th>
              <Table.Th>What to do</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {REFUSALS.map(({ status, means, todo }) => (
              <Table.Tr key={status}>
                <Table.Td className="number">{status}</Table.Td>
                <Table.Td miw={180}>{means}</Table.Td>
                <Table.Td miw={220}>{todo}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </>
  );
}
