import { expect, test } from 'vitest';

import { candidates, isFixed, titleOf } from '@/features/access/kinds';

test('nobody joins a group twice, nor a group itself, nor everybody at once', () => {
  const group = { id: '9', displayName: 'team', members: [{ value: '1' }] };
  const all = [{ id: '1', userName: 'ann' }, { id: '2', userName: 'bob' }, group, { id: '3', displayName: 'users' }, { id: '4', displayName: 'others' }];
  expect(candidates(group, all).map(titleOf)).toEqual(['bob', 'others']);
});

test('what every workspace has is nobody’s to delete', () => {
  expect(isFixed({ id: '2', displayName: 'admins' })).toBe(true);
  expect(isFixed({ id: '1', userName: 'admin' })).toBe(true);
  expect(isFixed({ id: '8', applicationId: 'a-b', displayName: 'admin' })).toBe(false);
});

test('a service principal is called by its name', () => {
  expect(titleOf({ id: '8', applicationId: 'a-b', displayName: 'nightly' })).toBe('nightly');
});
