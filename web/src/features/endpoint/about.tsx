import { Button, Group, Paper, Text, Title } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { useState } from 'react';

import { type Endpoint, isOwn } from '@/api/endpoints';
import { AboutDialog } from '@/features/endpoint/about-dialog';
import { serverUrl } from '@/lib/base';
import { dateTime } from '@/lib/format';
import { Copy } from '@/ui/copy';
import { Fields } from '@/ui/fields';
import { Ago } from '@/ui/time';

const LEVELS: Record<string, string> = { CAN_MANAGE: 'Can manage', CAN_QUERY: 'Can query', CAN_VIEW: 'Can view' };

/** What the endpoint is for, whose it is, and where it is. */
export function About({ endpoint }: { endpoint: Endpoint }) {
  const [isEdited, edit] = useState(false);
  const url = `${serverUrl()}/serving-endpoints`;
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-labelledby="about">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4" id="about">
          About
        </Title>
        {isOwn(endpoint) && (
          <Button size="xs" variant="default" leftSection={<IconPencil size={14} aria-hidden />} onClick={() => edit(true)}>
            Edit description and tags
          </Button>
        )}
      </Group>
      {endpoint.description && (
        <Text size="sm" mb="md" className="breaks">
          {endpoint.description}
        </Text>
      )}
      <Fields
        fields={[
          ['Created by', endpoint.creator],
          ['Created', dateTime(endpoint.creation_timestamp)],
          ['Last modified', <Ago key="ago" ms={endpoint.last_updated_timestamp} />],
          ['Your permission', LEVELS[endpoint.permission_level] ?? endpoint.permission_level],
          ['Tags', endpoint.tags.map(({ key, value }) => (value ? `${key}=${value}` : key)).join(', ') || 'None'],
          ['Endpoint id', endpoint.id],
        ]}
      />
      <Text size="xs" c="dimmed" mt="sm">
        OpenAI base URL
      </Text>
      <Group gap={4} wrap="nowrap">
        <Text size="sm" ff="monospace" className="breaks">
          {url}
        </Text>
        <Copy value={url} label="Copy the OpenAI base URL" />
      </Group>
      {isEdited && <AboutDialog endpoint={endpoint} onClose={() => edit(false)} />}
    </Paper>
  );
}
