import { queryOptions } from '@tanstack/react-query';

import { http, path } from '@/api/http';
import type { RateLimit } from '@/lib/rate-limits';
import type { components } from '@/api/schema.gen';

type Schemas = components['schemas'];
export type Endpoint = Schemas['EndpointOutput'];
export type ServedEntity = Schemas['ServedEntityOutput'];
export type EndpointConfig = Schemas['ConfigOutput'];
export type EndpointInput = Schemas['EndpointInput'];
export type ConfigInput = Schemas['ConfigInput'];

const ROOT = '/api/2.0/serving-endpoints';
const BUSY_MS = 2_000;
const IDLE_MS = 15_000;

/** What an external model is called: "provider: name". */
export const externalName = (entity: ServedEntity): string => {
  const { provider, name } = (entity.external_model ?? {}) as { provider?: string; name?: string };
  return [provider, name].filter(Boolean).join(': ') || entity.name;
};

/** Whether the caller may change what it runs: nobody may of those of the platform. */
export const isOwn = (endpoint: Endpoint): boolean => endpoint.permission_level === 'CAN_MANAGE' && endpoint.endpoint_type !== 'FOUNDATION_MODEL_API';

/** Something is on its way: states are asked for more often then. */
export const isChanging = (endpoint: Endpoint): boolean =>
  endpoint.state.config_update === 'IN_PROGRESS' ||
  (endpoint.state.ready !== 'READY' && endpoint.state.suspend !== 'STOPPED' && endpoint.state.config_update === 'NOT_UPDATING');

const entitiesOf = (config: EndpointConfig | null | undefined): readonly ServedEntity[] => config?.served_entities ?? [];

/** Of what is wanted, the served entities that failed or are being started again. */
export const failing = (endpoint: Endpoint): ServedEntity[] =>
  [...entitiesOf(endpoint.pending_config), ...entitiesOf(endpoint.config)].filter(({ state }) => state.deployment === 'DEPLOYMENT_FAILED' || state.deployment === 'DEPLOYMENT_RECOVERING');

/** Of what is wanted, the served entities that are on their way. */
export const starting = (endpoint: Endpoint): ServedEntity[] =>
  [...entitiesOf(endpoint.pending_config), ...entitiesOf(endpoint.config)].filter(({ state }) => state.deployment === 'DEPLOYMENT_CREATING');

export const endpointsQuery = queryOptions({
  queryKey: ['endpoints'],
  queryFn: async ({ signal }) => ((await http.get(ROOT, signal)) as Schemas['EndpointList']).endpoints,
  refetchInterval: (query) => (query.state.data?.some(isChanging) ? BUSY_MS : IDLE_MS),
});

export const endpointQuery = (name: string) =>
  queryOptions({
    queryKey: ['endpoints', name],
    queryFn: async ({ signal }) => (await http.get(path`/api/2.0/serving-endpoints/${name}`, signal)) as Endpoint,
    refetchInterval: (query) => (query.state.data && isChanging(query.state.data) ? BUSY_MS : IDLE_MS),
  });

const at = (name: string): string => path`/api/2.0/serving-endpoints/${name}`;

export const createEndpoint = async (body: EndpointInput): Promise<Endpoint> => (await http.post(ROOT, body)) as Endpoint;
export const updateConfig = async (name: string, body: ConfigInput): Promise<Endpoint> =>
  (await http.put(`${at(name)}/config`, body)) as Endpoint;
export const deleteEndpoint = (name: string): Promise<unknown> => http.delete(at(name));
export const endpointAction = (name: string, action: 'start' | 'stop' | 'cancel'): Promise<unknown> =>
  http.post(`${at(name)}/config:${action}`);
export const setRateLimits = (name: string, limits: RateLimit[]): Promise<unknown> =>
  http.put(`${at(name)}/rate-limits`, { rate_limits: limits });
export const setDescription = (name: string, description: string): Promise<unknown> =>
  http.patch(`${at(name)}/description`, { description });


export type Tag = { key: string; value?: string | null };
export const setTags = (name: string, added: readonly Tag[], deleted: readonly string[]): Promise<unknown> =>
  http.patch(`${at(name)}/tags`, { add_tags: added, delete_tags: deleted });

/** How a served entity was at a moment, all its replicas together; null is what the server does not know. */
export type Sample = {
  timestamp: number;
  replicas: number;
  requests_running: number;
  requests_waiting: number | null;
  kv_cache_percent: number | null;
  cpu_percent: number | null;
  memory_percent: number | null;
  prompt_tokens_per_s: number;
  completion_tokens_per_s: number;
};
export type History = { interval_s: number; served_entities: { name: string; samples: Sample[] }[] };

/** The last samples of each served entity, an hour at most, the oldest first. */
export const historyQuery = (name: string, samples: number) =>
  queryOptions({
    queryKey: ['endpoints', name, 'history', samples],
    queryFn: async ({ signal }) => (await http.get(`/api/2.0/openfm/endpoints/${encodeURIComponent(name)}/history?samples=${samples}`, signal)) as History,
    refetchInterval: samples > 1 ? 15_000 : 5_000,
  });

/** What the endpoint answers to, as an OpenAPI document. */
export const openApiOf = async (name: string): Promise<string> => JSON.stringify(await http.get(`${at(name)}/openapi`), null, 2);

export type EndpointEvent = { timestamp: number; type: string; message: string; served_entity_name: string; actor: string };

/** What happened to the endpoint, the newest first. */
export const eventsQuery = (name: string) =>
  queryOptions({
    queryKey: ['endpoints', name, 'events'],
    queryFn: async ({ signal }) => ((await http.get(`${at(name)}/events?max_results=200`, signal)) as { events: EndpointEvent[] }).events,
    refetchInterval: 5_000,
  });

export const entityLogQuery = (name: string, served: string, kind: 'logs' | 'build-logs') =>
  queryOptions({
    queryKey: ['endpoints', name, kind, served],
    queryFn: async ({ signal }) =>
      ((await http.get(`${at(name)}/served-models/${encodeURIComponent(served)}/${kind}`, signal)) as { logs: string }).logs,
    refetchInterval: 3_000,
  });

export const endpointMetricsQuery = (name: string) =>
  queryOptions({
    queryKey: ['endpoints', name, 'metrics'],
    queryFn: ({ signal }) => http.text(`${at(name)}/metrics`, signal),
    refetchInterval: 5_000,
  });

export type PlatformModel = { name: string; display_name: string; task: string; region: string; availability: string; reason: string };
export type Platform = { region: string; limits: { name: string; value: number; unit: string; setting: string | null }[]; models: PlatformModel[] };

export const platformQuery = queryOptions({
  queryKey: ['platform'],
  queryFn: async ({ signal }) => (await http.get('/api/2.0/openfm/limits/platform', signal)) as Platform,
  staleTime: 60_000,
});

export type OptimizationInfo = { optimizable: boolean; model_type?: string; throughput_chunk_size?: number; reason?: string };

export const optimizationQuery = (name: string, version: string) =>
  queryOptions({
    queryKey: ['optimization', name, version],
    queryFn: async ({ signal }) =>
      (await http.get(path`/api/2.0/serving-endpoints/get-model-optimization-info/${name}/${version}`, signal)) as OptimizationInfo,
    staleTime: 60_000,
  });

export type ServingEstimate = {
  memory: {
    weight_bytes: number;
    kv_cache_bytes: number;
    overhead_bytes: number;
    sequences: number;
    replica_bytes: number;
    held_bytes: number;
    left_bytes: number;
    total_bytes: number;
  };
  /** What may still be promised of it here, in tokens a second. */
  left_throughput: number;
  throughput: {
    throughput_chunk_size: number;
    is_provisional: boolean;
    prompt_tokens: number;
    completion_tokens: number;
    work_per_request: number | null;
    percentile: number;
    ttft_ms: number | null;
    tpot_ms: number | null;
    e2e_ms: number | null;
    load_s: number;
    warning: string | null;
  } | null;
};

/** What serving a version takes and gives, next to all endpoints but the one that is to serve it. */
export const estimateQuery = (name: string, version: string, beside: string) =>
  queryOptions({
    queryKey: ['estimate', name, version, beside],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ entity_name: name, entity_version: version, beside });
      return (await http.get(`/api/2.0/openfm/serving-estimate?${query}`, signal)) as ServingEstimate;
    },
    staleTime: 10_000,
  });

export type Capacity = {
  hardware: string;
  total: { memory_bytes: number; cores: number };
  left: { memory_bytes: number; cores: number };
};

export const capacityQuery = queryOptions({
  queryKey: ['capacity'],
  queryFn: async ({ signal }) => (await http.get('/api/2.0/openfm/capacity', signal)) as Capacity,
  refetchInterval: 10_000,
});

export type InferenceTable = { enabled?: boolean; catalog_name?: string; schema_name?: string; table_name_prefix?: string };
export type AiGateway = Record<string, unknown> & { fallback_config?: { enabled?: boolean }; inference_table_config?: InferenceTable; rate_limits?: Record<string, unknown>[] };

export const setAiGateway = (name: string, gateway: AiGateway): Promise<unknown> => http.put(`${at(name)}/ai-gateway`, gateway);

/** What an inference table keeps of a request; null where it was too large. */
export type Payload = { request: string | null; response: string | null; logging_error_codes: string[] };

export const payloadOf = async (name: string, requestId: string): Promise<Payload> =>
  (await http.get(path`/api/2.0/openfm/inference-tables/${name}/${requestId}`)) as Payload;

export const payloadQuery = (name: string, requestId: string) =>
  queryOptions({ queryKey: ['payload', name, requestId], queryFn: () => payloadOf(name, requestId), retry: false, staleTime: Infinity });
