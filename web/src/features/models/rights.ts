import type { ModelGrant } from '@/api/model-grants';

type Somebody = { name: string; is_admin: boolean; groups: readonly string[] };
type Owned = { owner: string; catalog_name: string };

/** The group of everybody, as the server names it in grants. */
export const EVERYBODY = 'users';

/** Unity Catalog's name of the same, on what comes with openfm. */
export const isEverybody = (principal: string): boolean => principal === EVERYBODY || principal === 'account users';

/** What comes with openfm is nobody's to change. */
export const comesWithOpenfm = (model: Owned): boolean => model.catalog_name === 'system';

/** Whether somebody may change the model, as the server will judge: an admin, its owner, or who was given MANAGE. */
export function mayManage(user: Somebody, model: Owned, grants: readonly ModelGrant[]): boolean {
  if (comesWithOpenfm(model)) return false;
  if (user.is_admin || model.owner === user.name) return true;
  return grants.some(({ principal, privileges }) => privileges.includes('MANAGE') && (principal === user.name || isEverybody(principal) || user.groups.includes(principal)));
}
