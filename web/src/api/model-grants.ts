import { queryOptions } from '@tanstack/react-query';

import { http, path } from '@/api/http';

export type Privilege = 'EXECUTE' | 'MANAGE';
export type ModelGrant = { principal: string; privileges: string[] };

const at = (model: string): string => path`/api/2.1/unity-catalog/permissions/function/${model}`;

export const modelGrantsQuery = (model: string) =>
  queryOptions({
    queryKey: ['models', model, 'grants'],
    queryFn: async ({ signal }) => ((await http.get(at(model), signal)) as { privilege_assignments?: ModelGrant[] }).privilege_assignments ?? [],
  });

export const changeModelGrant = (model: string, principal: string, change: { add?: string[]; remove?: string[] }): Promise<unknown> =>
  http.patch(at(model), { changes: [{ principal, ...change }] });
