import { expect, test } from 'vitest';

import { type Draft, endpointOf, leastOf, lineDiff, newDraft, newEntity, placeOf, problemsOf, scaledToZero } from '@/features/endpoints/draft';

const draft = (change: Partial<Draft> = {}): Draft => ({ ...newDraft(newEntity(0, 100, 'main.default.m', '1')), name: 'mine', ...change });
const NONE = new Set<string>();

test('A whole draft has no problems', () => expect(problemsOf(draft(), NONE)).toEqual({}));

test.each(['', 'a b', '-a', 'ü', 'x'.repeat(64)])('The name %j is refused before it is sent', (name) => {
  expect(problemsOf(draft({ name }), NONE)).toHaveProperty('name');
});

test('A name that is taken is refused', () => expect(problemsOf(draft(), new Set(['mine']))).toHaveProperty('name'));

test('Traffic of several entities adds up to 100', () => {
  const two = [newEntity(0, 60, 'main.default.m', '1'), newEntity(1, 30, 'main.default.m', '2')];
  expect(problemsOf(draft({ entities: two }), NONE).traffic).toContain('90 %');
});

test('Names of served entities that are given differ; those that are not are made to', () => {
  const two = (name: string) => draft({ entities: [newEntity(0, 50, 'main.default.m'), newEntity(1, 50, 'main.default.m')].map((entity) => ({ ...entity, name })) });
  expect(problemsOf(two('same'), NONE)).toHaveProperty('names');
  expect(problemsOf(two(''), NONE)).toEqual({});
});

test('What changes is shown line by line', () => {
  const changed = lineDiff('a\nb\nc', 'a\nx\nc');
  expect(changed).toContain('- b');
  expect(changed).toContain('+ x');
});

test('Throughput that may not scale to zero never goes below a chunk', () => {
  const bought = { ...newEntity(0, 100, 'main.default.m'), mode: 'provisioned' as const, maxThroughput: 300 };
  expect(leastOf(bought, 100)).toBe(100);
  expect(leastOf({ ...bought, minThroughput: 300 }, 100, 200)).toBe(200);
  expect(leastOf({ ...bought, scaleToZero: true }, 100)).toBe(0);
  expect(scaledToZero({ ...bought, minThroughput: 200 }, true, 100)).toEqual({ scaleToZero: true, minThroughput: 0 });
  expect(scaledToZero({ ...bought, scaleToZero: true }, false, 100)).toEqual({ scaleToZero: false, minThroughput: 100 });
});

test('what the server objects to is said at its field', () => {
  const two = draft({ entities: [newEntity(0, 50, 'main.a.x'), newEntity(1, 50, 'main.a.y')] });
  expect(placeOf(two, 'name', 'It exists already.')).toBe('name');
  expect(placeOf(two, 'max_provisioned_throughput', 'It is 7.')).toBe('0.throughput');
  expect(placeOf(two, 'provisioned_model_units', "The served entity 'main.a.y-1' asks for more.")).toBe('1.throughput');
  expect(placeOf(two, 'served_entities', "The served entity 'main.a.y-1' asks for more.")).toBe('1.entity');
  expect(placeOf(two, 'config.served_entities.0.entity_name', 'There is no model.')).toBe('0.entity');
  expect(placeOf(two, null, 'It fell over.')).toBeNull();
  expect(placeOf(two, 'tags', 'Too many.')).toBeNull();
});

test('Limits and the gateway go along where somebody set them', () => {
  expect(endpointOf(draft())).not.toHaveProperty('ai_gateway');
  const sent = endpointOf(draft({ limits: [{ key: 'user', principal: '', measure: 'tokens', amount: 5 }], gateway: { hasFallback: false, isKept: true, table: { catalog_name: 'ml', schema_name: '', table_name_prefix: '' } } }));
  expect(sent.rate_limits).toEqual([{ key: 'user', renewal_period: 'minute', tokens: 5 }]);
  expect(sent.ai_gateway).toEqual({ inference_table_config: { enabled: true, catalog_name: 'ml' } });
});
