import { type Kind, nameOf, type Principal } from '@/api/people';

export const KINDS: Record<Kind, { title: string; one: string; field: string; hint: string; words: string }> = {
  Users: { title: 'Users', one: 'user', field: 'User name', hint: 'ann@example.com', words: 'People. Each signs in with an access token; make the first one for them.' },
  Groups: { title: 'Groups', one: 'group', field: 'Name', hint: 'data-team', words: 'Users, service principals and other groups that share permissions, limits and budgets. Members of “admins” may do everything.' },
  ServicePrincipals: { title: 'Service principals', one: 'service principal', field: 'Name', hint: 'nightly-job', words: 'Programs with an identity of their own. They get in with an access token, or with a client secret (OAuth).' },
};

export const isKind = (text: string | undefined): text is Kind => text !== undefined && text in KINDS;

/** How somebody is called; service principals by their name, not by their id. */
export const titleOf = (one: Principal): string => one.userName ?? one.displayName ?? nameOf(one);

const FIXED = ['admins', 'users', 'admin'];

/** What every workspace has: the server lets nobody delete or deactivate it. */
export const isFixed = (one: Principal): boolean => FIXED.includes(nameOf(one));

/** Who could join a group: nobody twice, not itself, and not the group of everybody. */
export function candidates(group: Principal, all: readonly Principal[]): Principal[] {
  const members = new Set(group.members?.map((one) => one.value));
  return all.filter((one) => one.id !== group.id && !members.has(one.id) && one.displayName !== 'users');
}
