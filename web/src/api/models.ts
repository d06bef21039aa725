import { queryOptions } from '@tanstack/react-query';

import { http, path } from '@/api/http';

export type Alias = { alias_name: string; version_num: number };
export type Model = {
  name: string;
  full_name: string;
  catalog_name: string;
  schema_name: string;
  comment: string;
  owner: string;
  created_at: number;
  updated_at: number;
  aliases?: Alias[];
};
export type Version = {
  version: number;
  id: string;
  status: 'READY' | 'PENDING_REGISTRATION' | 'FAILED_REGISTRATION';
  status_message: string;
  source: string;
  storage_location: string;
  comment: string;
  created_at: number;
  created_by: string;
  facts?: Record<string, unknown>;
  unservable_reason?: string;
  aliases?: Alias[];
};

const ROOT = '/api/2.1/unity-catalog/models';
const at = (name: string): string => path`/api/2.1/unity-catalog/models/${name}`;

type Page = Record<string, unknown>;

/** All pages of a list, one after the other. */
async function everything<Item>(root: string, key: string, signal: AbortSignal): Promise<Item[]> {
  const found: Item[] = [];
  let token: string | undefined = '';
  while (token !== undefined) {
    const asked: string = token ? `?page_token=${encodeURIComponent(token)}` : '';
    const page = (await http.get(root + asked, signal)) as Page;
    found.push(...(page[key] as Item[]));
    token = page.next_page_token as string | undefined;
  }
  return found;
}

export const modelsQuery = queryOptions({
  queryKey: ['models'],
  queryFn: ({ signal }) => everything<Model>(ROOT, 'registered_models', signal),
});
export const modelQuery = (name: string) =>
  queryOptions({ queryKey: ['models', name], queryFn: async ({ signal }) => (await http.get(at(name), signal)) as Model });
export const versionsQuery = (name: string) =>
  queryOptions({
    queryKey: ['models', name, 'versions'],
    queryFn: ({ signal }) => everything<Version>(`${at(name)}/versions`, 'model_versions', signal),
    refetchInterval: (query) => (query.state.data?.some((one) => one.status === 'PENDING_REGISTRATION') ? 1_500 : false),
  });

export const setModelComment = (name: string, comment: string): Promise<unknown> => http.patch(at(name), { comment });
export const importModel = async (name: string, source: string, comment: string): Promise<Version> =>
  (await http.post(path`/api/2.0/openfm/models/${name}/register`, { source, comment })) as Version;
export const deleteModel = (name: string): Promise<unknown> => http.delete(at(name));
export const deleteVersion = (name: string, version: number): Promise<unknown> => http.delete(`${at(name)}/versions/${version}`);
export const setAlias = (name: string, alias: string, version: number): Promise<unknown> =>
  http.put(`${at(name)}/aliases/${encodeURIComponent(alias)}`, { version_num: version });
export const deleteAlias = (name: string, alias: string): Promise<unknown> =>
  http.delete(`${at(name)}/aliases/${encodeURIComponent(alias)}`);
