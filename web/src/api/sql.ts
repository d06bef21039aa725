import { queryOptions } from '@tanstack/react-query';

import { http } from '@/api/http';

export type SqlRow = Record<string, unknown>;
export type SqlPage = { columns: { name: string; type: string }[]; rows: SqlRow[]; next_page_token?: string };

/** A page of the answer to a question about usage; everybody's own rows, admins all. */
export const askSql = async (query: string, maxRows: number, token = ''): Promise<SqlPage> =>
  (await http.post('/api/2.0/openfm/sql', { query, max_rows: maxRows, page_token: token })) as SqlPage;

export const sqlPageQuery = (query: string, maxRows: number, token = '') =>
  queryOptions({ queryKey: ['sql', 'page', query, maxRows, token], queryFn: () => askSql(query, maxRows, token) });

/** A file with a row for each request of these days (UTC, both included). */
export const exportUsage = (from: string, to: string): Promise<string> =>
  http.text(`/api/2.0/openfm/usage/export?${String(new URLSearchParams({ from, to, format: 'csv' }))}`);
