import type { Endpoint } from '@/api/endpoints';

export type Family = { shown: Endpoint; others: readonly Endpoint[] };

const entityOf = (endpoint: Endpoint): string => {
  const entity = endpoint.config?.served_entities[0];
  return entity?.entity_name ? `${entity.entity_name} ${entity.entity_version ?? ''}` : endpoint.name;
};

/** Endpoints by the model that answers: the one under its own name, and Databricks' names that it stands in for. */
export function familiesOf(endpoints: readonly Endpoint[]): Family[] {
  const found = Map.groupBy(endpoints, entityOf);
  return [...found.values()].map((members) => {
    const shown = members.find((one) => !one.name.startsWith('databricks-')) ?? members[0];
    if (!shown) throw new Error('a group has a member');
    return { shown, others: members.filter((one) => one !== shown) };
  });
}
