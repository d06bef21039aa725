import { Alert, Button, Group, Paper, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';

import { type AiGateway, type Endpoint, type InferenceTable, setAiGateway } from '@/api/endpoints';
import { Limits } from '@/features/endpoint/limits';
import { rateText } from '@/lib/rate-limits';
import { ErrorPanel } from '@/ui/feedback';
import { told } from '@/ui/notify';

/** What stands between callers and the model: limits, fallbacks, and what is kept of requests. */
export function Gateway({ endpoint }: { endpoint: Endpoint }) {
  const canManage = endpoint.permission_level === 'CAN_MANAGE';
  const limits = endpoint.rate_limits ?? [];
  return (
    <Stack gap="lg">
      <Part title="Usage tracking">
        <Text size="sm">
          Always on: each request is in the ledger, with its tokens and its cost.{' '}
          <Link to="/usage" search={{ tab: 'requests', endpoint: endpoint.name }} className="link-in-text">
            See them in Usage
          </Link>
        </Text>
      </Part>
      <Part title="Rate limits">
        {canManage ? <Limits endpoint={endpoint} /> : <Text size="sm">{limits.length > 0 ? `${limits.map(rateText).join('; ')}. Requests above get 429.` : 'None: callers may use as much as the hardware gives.'}</Text>}
        <GatewayLimits limits={(endpoint.ai_gateway as AiGateway | undefined)?.rate_limits ?? []} />
      </Part>
      {canManage ? <Options endpoint={endpoint} /> : <Settled endpoint={endpoint} />}
    </Stack>
  );
}

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <Paper withBorder p="md" radius="md" component="section" aria-label={title}>
    <Title order={2} size="h5" mb="sm">
      {title}
    </Title>
    {children}
  </Paper>
);

/** Limits that were set with the gateway's object hold beside the others; they are changed where they were set. */
function GatewayLimits({ limits }: { limits: readonly Record<string, unknown>[] }) {
  if (limits.length === 0) return null;
  return (
    <Text size="sm" c="dimmed" mt="sm">
      Set through the API as a part of the AI gateway, and in force too: {limits.map(rateText).join('; ')}.
    </Text>
  );
}

/** There is something to fall back to. */
const hasFallbacks = ({ config, pending_config: pending }: Endpoint): boolean => ((config ?? pending)?.served_entities.length ?? 0) > 1;

/** The same for who may not change it. */
function Settled({ endpoint }: { endpoint: Endpoint }) {
  const { fallback_config: fallback, inference_table_config: table } = (endpoint.ai_gateway ?? {}) as AiGateway;
  return (
    <>
      {hasFallbacks(endpoint) && (
        <Part title="Fallbacks">
          <Text size="sm">{fallback?.enabled ? 'A request that fails goes on to the next served entity.' : 'A request that fails is not tried again.'}</Text>
        </Part>
      )}
      <Part title="Inference table">
        <Text size="sm">{table?.enabled ? 'Requests and answers are kept, with their whole text; who can manage the endpoint may read them.' : 'The text of requests and answers is not kept.'}</Text>
      </Part>
    </>
  );
}

/** Fallbacks and the inference table are one object on the server: what else it has stays as it is. */
function Options({ endpoint }: { endpoint: Endpoint }) {
  const kept = (endpoint.ai_gateway ?? {}) as AiGateway;
  const [fallback, setFallback] = useState(kept.fallback_config?.enabled === true);
  const [table, setTable] = useState<InferenceTable>(kept.inference_table_config ?? {});
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const client = useQueryClient();
  const hasOthers = hasFallbacks(endpoint) || fallback;
  const wanted: AiGateway = { ...kept, fallback_config: { enabled: fallback }, inference_table_config: filled(table) };
  const isChanged = fallback !== (kept.fallback_config?.enabled === true) || JSON.stringify(filled(table)) !== JSON.stringify(filled(kept.inference_table_config ?? {}));
  const put = (change: InferenceTable): void => setTable((now) => ({ ...now, ...change }));
  const save = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await setAiGateway(endpoint.name, wanted);
      await client.invalidateQueries({ queryKey: ['endpoints'] });
      told('The AI gateway was changed.');
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {hasOthers && (
        <Part title="Fallbacks">
          <Switch
            label="Try the other served entities"
            description="A request that fails, or meets a full provider, goes on to the next served entity, whatever its share of the traffic"
            checked={fallback}
            onChange={(event) => setFallback(event.currentTarget.checked)}
          />
        </Part>
      )}
      <Part title="Inference table">
        <Stack gap="sm">
          <Switch
            label="Keep requests and answers"
            description="Their whole text, in openfm’s own database; only who can manage the endpoint may read it"
            checked={table.enabled === true}
            onChange={(event) => put({ enabled: event.currentTarget.checked })}
          />
          {table.enabled && (
            <Group align="flex-end">
              <TextInput label="Catalog" placeholder="main" value={table.catalog_name ?? ''} onChange={(event) => put({ catalog_name: event.currentTarget.value })} />
              <TextInput label="Schema" placeholder="default" value={table.schema_name ?? ''} onChange={(event) => put({ schema_name: event.currentTarget.value })} />
              <TextInput label="Table name prefix" placeholder={endpoint.name} value={table.table_name_prefix ?? ''} onChange={(event) => put({ table_name_prefix: event.currentTarget.value })} />
            </Group>
          )}
          {table.enabled && kept.inference_table_config?.enabled !== true && (
            <Alert color="yellow" variant="light">
              From when this is saved on, what people ask and what they are answered is kept. Tell them.
            </Alert>
          )}
        </Stack>
      </Part>
      {error !== null && <ErrorPanel error={error} title="The AI gateway was not changed" />}
      <Group>
        <Button onClick={() => void save()} loading={isBusy} disabled={!isChanged}>
          {hasOthers ? 'Save fallbacks and inference table' : 'Save the inference table'}
        </Button>
      </Group>
    </>
  );
}

/** Names that are left empty are the server's to choose. */
const filled = ({ enabled = false, ...names }: InferenceTable): InferenceTable => ({
  enabled,
  ...Object.fromEntries(Object.entries(names).filter(([, name]) => name !== '')),
});
