import type { ModelGrant } from '@/api/model-grants';

type Somebody = { name: string; is_admin: boolean; groups: readonly string[] };
type Owned = { owner: string; catalog_name: string };

export const EVERYBODY = 'account users';

/** What comes with openfm is nobody's to change. */
export const comesWithOpenfm = (model: Owned): boolean => model.catalog_name === 'system';

/** Whether somebody may change the model, as the server will judge: an admin, its owner, or who was given MANAGE. */
export function mayManage(user: Somebody, model: Owned, grants: readonly ModelGrant[]): boolean {
  if (comesWithOpenfm(model)) return false;
  if (user.is_admin || model.owner === user.name) return true;
  return grants.some(({ principal, privileges }) => privileges.includes('MANAGE') && (principal === user.name || principal === EVERYBODY || user.groups.includes(principal)));
}
