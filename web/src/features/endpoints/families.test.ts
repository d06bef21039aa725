import { expect, test } from 'vitest';

import type { Endpoint } from '@/api/endpoints';
import { familiesOf } from '@/features/endpoints/families';

const endpoint = (name: string, entity?: string): Endpoint =>
  ({ name, config: entity ? { served_entities: [{ entity_name: entity, entity_version: '1' }] } : null }) as unknown as Endpoint;

test('a model that answers to many names is shown once, under its own', () => {
  const [family] = familiesOf([endpoint('databricks-dbrx', 'small'), endpoint('openfm-small', 'small'), endpoint('databricks-mpt', 'small')]);
  expect(family?.shown.name).toBe('openfm-small');
  expect(family?.others.map(({ name }) => name)).toEqual(['databricks-dbrx', 'databricks-mpt']);
});

test('models that are served under their own names are each shown', () => {
  const families = familiesOf([endpoint('databricks-a', 'a'), endpoint('databricks-b', 'b'), endpoint('starting')]);
  expect(families.map(({ shown, others }) => [shown.name, others.length])).toEqual([
    ['databricks-a', 0],
    ['databricks-b', 0],
    ['starting', 0],
  ]);
});
