import { queryOptions } from '@tanstack/react-query';

import { http, path } from '@/api/http';

export type ClientSecret = { id: string; create_time: string; expire_time?: string };

const at = (program: string): string => path`/api/2.0/accounts/servicePrincipals/${program}/credentials/secrets`;

export const clientSecretsQuery = (program: string) =>
  queryOptions({
    queryKey: ['client-secrets', program],
    queryFn: async ({ signal }) => ((await http.get(at(program), signal)) as { secrets?: ClientSecret[] }).secrets ?? [],
  });

/** Its value is answered this once. */
export const createClientSecret = async (program: string, days: number): Promise<string> =>
  ((await http.post(at(program), { lifetime: `${days * 86_400}s` })) as { secret: string }).secret;
export const deleteClientSecret = (program: string, id: string): Promise<unknown> => http.delete(`${at(program)}/${encodeURIComponent(id)}`);
