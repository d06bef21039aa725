import { expect, test } from 'vitest';

import { mayManage } from '@/features/models/rights';

const ann = { name: 'ann', is_admin: false, groups: ['team', 'users'] };
const model = { owner: 'bob', catalog_name: 'main' };

test('admins and owners manage a model', () => {
  expect(mayManage({ ...ann, is_admin: true }, model, [])).toBe(true);
  expect(mayManage(ann, { ...model, owner: 'ann' }, [])).toBe(true);
  expect(mayManage(ann, model, [])).toBe(false);
});

test('others manage it once they, or a group of theirs, were given MANAGE; EXECUTE is not enough', () => {
  expect(mayManage(ann, model, [{ principal: 'ann', privileges: ['EXECUTE', 'MANAGE'] }])).toBe(true);
  expect(mayManage(ann, model, [{ principal: 'team', privileges: ['MANAGE'] }])).toBe(true);
  expect(mayManage(ann, model, [{ principal: 'ann', privileges: ['EXECUTE'] }])).toBe(false);
  expect(mayManage(ann, model, [{ principal: 'others', privileges: ['MANAGE'] }])).toBe(false);
});

test('nobody changes what comes with openfm', () => {
  expect(mayManage({ ...ann, is_admin: true }, { owner: 'System user', catalog_name: 'system' }, [])).toBe(false);
});
