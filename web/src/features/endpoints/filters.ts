import type { Endpoint } from '@/api/endpoints';
import { count, modelUnits } from '@/lib/format';

export type Filters = {
  q?: string | undefined;
  state?: string | undefined;
  task?: string | undefined;
  type?: string | undefined;
  mine?: true | undefined;
};

export const TYPES: Record<string, string> = {
  foundation: 'Pay-per-token',
  provisioned: 'Provisioned throughput',
  custom: 'Model',
  external: 'External model',
};

export const isFoundation = (endpoint: Endpoint): boolean => endpoint.endpoint_type === 'FOUNDATION_MODEL_API';

const entitiesOf = (endpoint: Endpoint) => (endpoint.config ?? endpoint.pending_config)?.served_entities ?? [];

export function typeOf(endpoint: Endpoint): string {
  if (isFoundation(endpoint)) return 'foundation';
  const entities = entitiesOf(endpoint);
  if (entities.some((one) => one.external_model)) return 'external';
  return entities.some((one) => (one.max_provisioned_throughput ?? 0) > 0 || (one.provisioned_model_units ?? 0) > 0) ? 'provisioned' : 'custom';
}

export const ownerName = (endpoint: Endpoint): string => endpoint.creator;

/** Tokens per second or model units that its entities may use, all of them together; null where none are bought. */
export function throughputOf(endpoint: Endpoint): string | null {
  const entities = entitiesOf(endpoint);
  const units = entities.reduce((sum, one) => sum + (one.provisioned_model_units ?? 0), 0);
  if (units > 0) return modelUnits(units);
  const most = entities.reduce((sum, one) => sum + (one.max_provisioned_throughput ?? 0), 0);
  return most > 0 ? `${count(most)} tokens/s` : null;
}

const texts = (endpoint: Endpoint): string[] => [
  endpoint.name,
  ...entitiesOf(endpoint).flatMap((one) => [one.name, one.entity_name ?? '']),
  ...endpoint.tags.flatMap(({ key, value }) => [`${key}=${value}`]),
];

/** The endpoints that every filter lets through. */
export function filtered(endpoints: readonly Endpoint[], filters: Filters, me: string): Endpoint[] {
  const words = (filters.q ?? '').toLowerCase();
  return endpoints.filter(
    (one) =>
      (words === '' || texts(one).some((text) => text.toLowerCase().includes(words))) &&
      isInState(one, filters.state) &&
      (filters.task === undefined || one.task === filters.task) &&
      (filters.type === undefined || typeOf(one) === filters.type) &&
      (!filters.mine || one.creator === me),
  );
}

function isInState(endpoint: Endpoint, state: string | undefined): boolean {
  if (state === 'ready') return endpoint.state.ready === 'READY';
  if (state === 'not-ready') return endpoint.state.ready !== 'READY';
  if (state === 'failed') return endpoint.state.config_update === 'UPDATE_FAILED';
  return true;
}
