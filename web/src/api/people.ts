import { queryOptions } from '@tanstack/react-query';

import { http, path } from '@/api/http';

const SCIM = '/api/2.0/preview/scim/v2';

export type TokenInfo = {
  token_id: string;
  creation_time: number;
  expiry_time: number;
  comment: string;
  created_by_username?: string;
  owner_id?: number;
  last_used_day?: number;
};
export type Kind = 'Users' | 'Groups' | 'ServicePrincipals';
export type Principal = {
  id: string;
  userName?: string;
  displayName?: string;
  applicationId?: string;
  active?: boolean;
  groups?: { display: string; value: string }[];
  members?: { display?: string; value: string }[];
};

/** What rights name somebody by. */
export const nameOf = (one: Principal): string => one.userName ?? one.applicationId ?? one.displayName ?? one.id;

export const myTokensQuery = queryOptions({
  queryKey: ['tokens', 'own'],
  queryFn: async ({ signal }) => ((await http.get('/api/2.0/token/list', signal)) as { token_infos?: TokenInfo[] }).token_infos ?? [],
});
export const allTokensQuery = queryOptions({
  queryKey: ['tokens', 'all'],
  queryFn: async ({ signal }) =>
    ((await http.get('/api/2.0/token-management/tokens', signal)) as { token_infos?: TokenInfo[] }).token_infos ?? [],
});

type NewToken = { token_value: string; token_info: TokenInfo };
type TokenRequest = { comment: string; lifetime_seconds?: number };

export const createToken = async (request: TokenRequest): Promise<NewToken> =>
  (await http.post('/api/2.0/token/create', request)) as NewToken;
export const createTokenFor = async (owner: string, request: TokenRequest): Promise<NewToken> =>
  (await http.post('/api/2.0/token-management/on-behalf-of/tokens', { ...request, application_id: owner })) as NewToken;
export const setTokenComment = (id: string, comment: string, isOwn: boolean): Promise<unknown> =>
  http.patch(isOwn ? path`/api/2.0/token/${id}` : path`/api/2.0/token-management/tokens/${id}`, { token: { comment }, update_mask: 'comment' });
export const revokeToken = (id: string): Promise<unknown> => http.post('/api/2.0/token/delete', { token_id: id });
export const revokeAnyToken = (id: string): Promise<unknown> => http.delete(path`/api/2.0/token-management/tokens/${id}`);

export const principalsQuery = (kind: Kind) =>
  queryOptions({
    queryKey: ['principals', kind],
    queryFn: async ({ signal }) => {
      const found: Principal[] = [];
      for (let total = 1; found.length < total; ) {
        const page = (await http.get(`${SCIM}/${kind}?startIndex=${found.length + 1}&count=500`, signal)) as {
          Resources?: Principal[];
          totalResults: number;
        };
        found.push(...(page.Resources ?? []));
        total = page.Resources?.length ? page.totalResults : 0;
      }
      return found;
    },
  });

export const createPrincipal = (kind: Kind, name: string): Promise<unknown> =>
  http.post(`${SCIM}/${kind}`, kind === 'Users' ? { userName: name } : { displayName: name });
export const deletePrincipal = (kind: Kind, id: string): Promise<unknown> => http.delete(`${SCIM}/${kind}/${encodeURIComponent(id)}`);
export const setActive = (kind: Kind, id: string, active: boolean): Promise<unknown> =>
  http.patch(`${SCIM}/${kind}/${encodeURIComponent(id)}`, { Operations: [{ op: 'replace', path: 'active', value: active }] });
export const addMember = (group: string, member: string): Promise<unknown> =>
  http.patch(path`/api/2.0/preview/scim/v2/Groups/${group}`, {
    Operations: [{ op: 'add', path: 'members', value: [{ value: member }] }],
  });
export const removeMember = (group: string, member: string): Promise<unknown> =>
  http.patch(path`/api/2.0/preview/scim/v2/Groups/${group}`, {
    Operations: [{ op: 'remove', path: `members[value eq "${member}"]` }],
  });

export type Level = 'CAN_VIEW' | 'CAN_QUERY' | 'CAN_MANAGE';
export type AccessEntry = {
  user_name?: string;
  group_name?: string;
  service_principal_name?: string;
  display_name?: string;
  all_permissions: { permission_level: Level; inherited: boolean }[];
};

export const permissionsQuery = (endpointId: string) =>
  queryOptions({
    queryKey: ['permissions', endpointId],
    queryFn: async ({ signal }) =>
      ((await http.get(path`/api/2.0/permissions/serving-endpoints/${endpointId}`, signal)) as { access_control_list: AccessEntry[] })
        .access_control_list,
  });

export type Grant = { user_name?: string; group_name?: string; service_principal_name?: string; permission_level: Level };

export const setPermissions = (endpointId: string, grants: Grant[]): Promise<unknown> =>
  http.put(path`/api/2.0/permissions/serving-endpoints/${endpointId}`, { access_control_list: grants });
