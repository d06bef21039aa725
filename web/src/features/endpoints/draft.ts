import type { AiGateway, ConfigInput, Endpoint, EndpointConfig, EndpointInput, ServedEntity } from '@/api/endpoints';
import { type LimitDraft, limitDraftOf, limitOf } from '@/lib/rate-limits';
import { ENDPOINT_NAME } from '@/lib/model';

export type Mode = 'shared' | 'provisioned' | 'units' | 'external';

export type EntityDraft = {
  id: number;
  name: string;
  mode: Mode;
  entityName: string;
  entityVersion: string;
  workloadSize: string;
  scaleToZero: boolean;
  minThroughput: number;
  maxThroughput: number;
  units: number;
  bursts: boolean;
  traffic: number;
  provider: { url: string; model: string; key: string; task: string };
};

type TableNames = { catalog_name: string; schema_name: string; table_name_prefix: string };
const NO_NAMES: TableNames = { catalog_name: '', schema_name: '', table_name_prefix: '' };

export type Draft = {
  name: string;
  description: string;
  tags: { key: string; value: string }[];
  entities: EntityDraft[];
  limits: LimitDraft[];
  /** What is beside the entities: another answers where one fails, and requests are kept with their answers. */
  gateway: { hasFallback: boolean; isKept: boolean; /** Names that are left empty are the server’s to choose. */ table: TableNames };
};

export const newDraft = (entity: EntityDraft): Draft => ({ name: '', description: '', tags: [], entities: [entity], limits: [], gateway: { hasFallback: false, isKept: false, table: NO_NAMES } });

export const newEntity = (id: number, traffic: number, entityName = '', entityVersion = '1'): EntityDraft => ({
  id,
  name: '',
  mode: 'shared',
  entityName,
  entityVersion,
  workloadSize: 'Small',
  scaleToZero: false,
  minThroughput: 0,
  maxThroughput: 0,
  units: 1,
  bursts: true,
  traffic,
  provider: { url: '', model: '', key: '', task: 'llm/v1/chat' },
});

/** A draft that says what an endpoint's configuration says now. Keys of other providers are not in it: nobody sees them again. */
export function draftOf(endpoint: Endpoint): Draft {
  const config: EndpointConfig | null | undefined = endpoint.config ?? endpoint.pending_config;
  const gateway = (endpoint.ai_gateway ?? {}) as AiGateway;
  const shares = new Map(config?.traffic_config.routes.map((route) => [route.served_entity_name, route.traffic_percentage]));
  return {
    name: endpoint.name,
    description: endpoint.endpoint_type === 'FOUNDATION_MODEL_API' ? '' : endpoint.description,
    tags: endpoint.tags.map(({ key, value }) => ({ key, value })),
    entities: (config?.served_entities ?? []).map((entity, index) => entityDraft(entity, index, shares.get(entity.name) ?? 0)),
    limits: (endpoint.rate_limits ?? []).map(limitDraftOf),
    gateway: { hasFallback: gateway.fallback_config?.enabled === true, isKept: gateway.inference_table_config?.enabled === true, table: NO_NAMES },
  };
}

function entityDraft(entity: ServedEntity, id: number, traffic: number): EntityDraft {
  const external = entity.external_model;
  const inner = (external?.openai_config ?? {}) as { openai_api_base?: string; openai_api_key?: string };
  const mode: Mode = external ? 'external' : entity.provisioned_model_units ? 'units' : entity.max_provisioned_throughput ? 'provisioned' : 'shared';
  return {
    ...newEntity(id, traffic, entity.entity_name ?? '', entity.entity_version ?? '1'),
    name: entity.name,
    mode,
    workloadSize: entity.workload_size ?? 'Small',
    scaleToZero: entity.scale_to_zero_enabled ?? false,
    minThroughput: entity.min_provisioned_throughput ?? 0,
    maxThroughput: entity.max_provisioned_throughput ?? 0,
    units: entity.provisioned_model_units ?? 1,
    bursts: entity.burst_scaling_enabled ?? true,
    provider: {
      url: inner.openai_api_base ?? '',
      model: typeof external?.name === 'string' ? external.name : '',
      key: inner.openai_api_key ?? '',
      task: typeof external?.task === 'string' ? external.task : 'llm/v1/chat',
    },
  };
}

/** What it never goes below: nothing where it may scale to zero, else a chunk at least; never above `most`. */
export const leastOf = (entity: EntityDraft, chunk: number, most = entity.maxThroughput): number =>
  Math.min(most, entity.scaleToZero ? entity.minThroughput : Math.max(chunk, entity.minThroughput));

/** The switch for scaling to zero; throughput that is bought goes down to nothing with it, and up to a chunk without. */
export function scaledToZero(entity: EntityDraft, scaleToZero: boolean, chunk: number): Partial<EntityDraft> {
  if (entity.mode !== 'provisioned') return { scaleToZero };
  return { scaleToZero, minThroughput: scaleToZero ? 0 : leastOf({ ...entity, scaleToZero }, chunk) };
}

/** What the draft's problems are, by field; empty when it can be sent. */
export function problemsOf(draft: Draft, taken: ReadonlySet<string>): Record<string, string> {
  const found: Record<string, string> = {};
  if (draft.name === '') found.name = 'Give it a name.';
  else if (!ENDPOINT_NAME.test(draft.name)) found.name = 'Use up to 63 letters, digits, dashes and underscores; begin with no dash.';
  else if (taken.has(draft.name)) found.name = 'An endpoint has this name already.';
  if (draft.entities.length === 0) found.entities = 'Add at least one served entity.';
  for (const entity of draft.entities) Object.assign(found, entityProblems(entity));
  const total = draft.entities.reduce((sum, entity) => sum + entity.traffic, 0);
  const names = draft.entities.map((entity) => entity.name).filter((name) => name !== '');
  if (new Set(names).size < names.length) found.names = 'Two served entities have the same name. Give each a name of its own.';
  if (draft.entities.length > 1 && total !== 100) found.traffic = `Traffic has to add up to 100 %; it is ${total} % now.`;
  return found;
}

function entityProblems(entity: EntityDraft): Record<string, string> {
  const at = (field: string): string => `${entity.id}.${field}`;
  if (entity.mode === 'external') {
    const found: Record<string, string> = {};
    if (!/^https?:\/\/\S+$/.test(entity.provider.url)) found[at('url')] = 'Give the address of its API, beginning with https://.';
    if (entity.provider.model === '') found[at('model')] = 'Give the model’s name there.';
    if (entity.provider.key === '') found[at('key')] = 'Give a key, or {{secrets/SCOPE/KEY}}.';
    return found;
  }
  if (entity.entityName === '') return { [at('entity')]: 'Choose a model.' };
  if (entity.mode === 'provisioned' && entity.maxThroughput <= 0) return { [at('throughput')]: 'Choose how many tokens per second it may use.' };
  return {};
}

/** Where on the form the server's objection belongs: of several entities to the one that it names, else to the first. */
export function placeOf(draft: Draft, field: string | null, sentence: string): string | null {
  const last = field?.split('.').pop() ?? '';
  if (last === 'name' && !field?.includes('served_entities')) return 'name';
  const entity = draft.entities.find((one) => sentence.includes(servedName(one)) || (one.entityName !== '' && sentence.includes(one.entityName))) ?? draft.entities[0];
  const part = { entity_name: 'entity', entity_version: 'entity', served_entities: 'entity', min_provisioned_throughput: 'throughput', max_provisioned_throughput: 'throughput', provisioned_model_units: 'throughput' }[last];
  return entity === undefined || part === undefined || entity.mode === 'external' ? null : `${entity.id}.${part}`;
}

const servedName = (entity: EntityDraft): string => entity.name || (entity.mode === 'external' ? entity.provider.model : `${entity.entityName}-${entity.entityVersion}`);

/** What is sent: the served entities and their shares. */
export function configOf(draft: Draft): ConfigInput {
  const entities = draft.entities.map(entityInput);
  if (draft.entities.length < 2) return { served_entities: entities };
  const routes = draft.entities.map((entity, index) => ({ served_entity_name: entities[index]?.name ?? '', traffic_percentage: entity.traffic }));
  return { served_entities: entities, traffic_config: { routes } };
}

type EntityInput = NonNullable<ConfigInput['served_entities']>[number];

function entityInput(entity: EntityDraft, index: number, all: { length: number }): EntityInput {
  const chosen = entity.name || (all.length > 1 ? `${servedName(entity).split('.').pop() ?? 'entity'}-${index + 1}`.replace(/[^\w-]/g, '-') : '');
  const name = chosen ? { name: chosen } : {};
  if (entity.mode === 'external') {
    const { url, model, key, task } = entity.provider;
    const secret = key.startsWith('{{') ? { openai_api_key: key } : { openai_api_key_plaintext: key };
    return { ...name, external_model: { provider: 'openai', name: model, task, openai_config: { openai_api_base: url, ...secret } } };
  }
  const model = { ...name, entity_name: entity.entityName, entity_version: entity.entityVersion, scale_to_zero_enabled: entity.scaleToZero };
  if (entity.mode === 'units') return { ...model, provisioned_model_units: entity.units, burst_scaling_enabled: entity.bursts };
  if (entity.mode === 'provisioned')
    return {
      ...model,
      min_provisioned_throughput: entity.minThroughput,
      max_provisioned_throughput: entity.maxThroughput,
      burst_scaling_enabled: entity.bursts,
    };
  return { ...model, workload_size: entity.workloadSize };
}

export function endpointOf(draft: Draft): EndpointInput {
  const tags = draft.tags.filter((tag) => tag.key !== '');
  const { hasFallback, isKept, table } = draft.gateway;
  const names = Object.fromEntries(Object.entries(table).filter(([, name]) => name !== ''));
  return {
    name: draft.name,
    config: configOf(draft),
    ...(draft.description ? { description: draft.description } : {}),
    ...(tags.length ? { tags } : {}),
    ...(draft.limits.length ? { rate_limits: draft.limits.map(limitOf) } : {}),
    ...(hasFallback || isKept ? { ai_gateway: { ...(hasFallback ? { fallback_config: { enabled: true } } : {}), ...(isKept ? { inference_table_config: { enabled: true, ...names } } : {}) } } : {}),
  };
}

/** The lines of two texts, those that are the same with a space, those gone with -, new ones with +. */
export function lineDiff(before: string, after: string): string {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const table = old.map(() => now.map(() => 0)).concat([now.map(() => 0)]);
  const at = (i: number, j: number): number => table[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--) {
      const row = table[i];
      if (row) row[j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push(`  ${old[i] ?? ''}`);
      i++;
      j++;
    } else if (j >= now.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) lines.push(`- ${old[i++] ?? ''}`);
    else lines.push(`+ ${now[j++] ?? ''}`);
  }
  return lines.join('\n');
}
