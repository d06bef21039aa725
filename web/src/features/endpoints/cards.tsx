import { Badge, Button, Group, Paper, Stack, Text } from '@mantine/core';
import { IconMessages, IconTerminal2 } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';

import type { Endpoint } from '@/api/endpoints';
import type { Price } from '@/api/usage';
import { familiesOf, type Family } from '@/features/endpoints/families';
import { playgroundOf, priceFor, taskName } from '@/lib/model';
import { StateBadge } from '@/ui/state';

/** Pay-per-token endpoints of the platform, for whoever wants to try something at once. */
export function FoundationCards({ endpoints, prices, now }: { endpoints: readonly Endpoint[]; prices: readonly Price[]; now: number }) {
  return (
    <section aria-labelledby="foundation-title">
      <Text component="h2" id="foundation-title" fw={600} mb="xs" mt={0}>
        Foundation Model APIs (pay-per-token)
      </Text>
      <div className="cards">
        {familiesOf(endpoints).map((family) => (
          <Card key={family.shown.id} family={family} price={priceFor(prices, family.shown.name, entityOf(family.shown), now)} />
        ))}
      </div>
    </section>
  );
}

const entityOf = (endpoint: Endpoint): string | null | undefined => endpoint.config?.served_entities[0]?.entity_name;

function Card({ family, price }: { family: Family; price: Price | null }) {
  const endpoint = family.shown;
  const model = endpoint.config?.served_entities[0]?.foundation_model;
  return (
    <Paper withBorder p="md" radius="md" component="article" aria-label={endpoint.name}>
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Link to="/endpoints/$name" params={{ name: endpoint.name }} className="link breaks" style={{ fontWeight: 600 }}>
            {endpoint.name}
          </Link>
          <StateBadge state={endpoint.state} />
        </Group>
        <Text size="xs" c="dimmed">
          {model?.display_name}
        </Text>
        <Text size="sm" lineClamp={3} style={{ flexGrow: 1 }}>
          {endpoint.description}
        </Text>
        <Group gap="xs">
          <Badge variant="default" className="badge">
            {taskName(endpoint.task)}
          </Badge>
          {endpoint.capabilities.function_calling && (
            <Badge variant="default" className="badge">
              Tools enabled
            </Badge>
          )}
          {endpoint.capabilities.openai_reasoning && (
            <Badge variant="default" className="badge">
              Reasoning
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed">
          {price ? `${price.prompt ?? '0'} ${price.currency} in, ${price.completion ?? '0'} ${price.currency} out, per million tokens` : 'No price set: costs nothing'}
        </Text>
        {family.others.length > 0 && <OtherNames names={family.others.map((one) => one.name)} />}
        <Group gap="xs">
          <Button
            size="xs"
            variant="light"
            leftSection={<IconTerminal2 size={14} aria-hidden />}
            renderRoot={(props) => <Link to="/endpoints/$name" params={{ name: endpoint.name }} search={{ tab: 'query' }} {...props} />}
          >
            Query
          </Button>
          <Button
            size="xs"
            leftSection={<IconMessages size={14} aria-hidden />}
            renderRoot={(props) => <Link to="/playground" search={playgroundOf(endpoint)} {...props} />}
          >
            Try in Playground
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}

/** Names of Databricks' models that are not served here: code that asks for them is answered all the same. */
function OtherNames({ names }: { names: readonly string[] }) {
  return (
    <details className="other-names">
      <summary>
        Answers to {names.length} more {names.length === 1 ? 'name' : 'names'}
      </summary>
      <ul>
        {names.map((name) => (
          <li key={name}>
            <Link to="/endpoints/$name" params={{ name }} className="link breaks">
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </details>
  );
}
