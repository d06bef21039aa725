import { queryOptions } from '@tanstack/react-query';

import { http } from '@/api/http';

export type Price = {
  version: number;
  endpoint?: string;
  entity_name?: string;
  currency: string;
  prompt?: string;
  cached?: string;
  completion?: string;
  model_unit_hour?: string;
  effective_from: string;
  created_by: string;
};
export type ReportLine = {
  key?: string;
  currency: string;
  requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  amount: string;
};
export type Report = { by: string; from: string; to: string; for: string; lines: ReportLine[]; totals: ReportLine[] };
export type Budget = {
  name: string;
  scope: string;
  target?: string;
  amount: string;
  currency: string;
  period: string;
  action: string;
  spent: string;
  left: string;
  percent?: number;
  renews_at: string;
  alerts?: number[];
  alerted_percent?: number;
  period_start?: string;
};
export type BudgetBody = { amount: string; currency: string; period: string; action: string; scope: string; target?: string; alerts: number[] };
export type Invoice = {
  month: string;
  for: string;
  state: string;
  open_requests: number;
  lines: { currency: string; principal?: string; endpoint?: string; entity?: string; requests?: number; prompt_tokens?: number; completion_tokens?: number; amount: string }[];
};

export const pricesQuery = queryOptions({
  queryKey: ['prices'],
  queryFn: async ({ signal }) => ((await http.get('/api/2.0/openfm/prices', signal)) as { prices: Price[] }).prices,
  staleTime: 60_000,
});

export const setPrice = (price: Partial<Price>): Promise<unknown> => http.post('/api/2.0/openfm/prices', price);

export const reportQuery = (by: string, from: string, to: string) =>
  queryOptions({
    queryKey: ['report', by, from, to],
    queryFn: async ({ signal }) => (await http.get(`/api/2.0/openfm/usage/report?${String(new URLSearchParams({ by, from, to }))}`, signal)) as Report,
  });

export const invoice = (month: string, format: 'csv' | 'json' | 'text'): Promise<string> =>
  http.text(`/api/2.0/openfm/usage/invoice?${String(new URLSearchParams({ month, format }))}`);

export const invoiceQuery = (month: string) =>
  queryOptions({ queryKey: ['invoice', month], queryFn: async () => JSON.parse(await invoice(month, 'json')) as Invoice & Record<string, unknown> });

export type Correction = { id: string; request_id: string; principal: string; endpoint: string; currency: string; amount: string; cost: string; reason: string; created_by: string; created_at: string };

/** What requests cost, corrected by admins in a month. */
export const correctionsQuery = (month: string) =>
  queryOptions({
    queryKey: ['corrections', month],
    queryFn: async ({ signal }) => ((await http.get(`/api/2.0/openfm/usage/corrections?${new URLSearchParams({ month })}`, signal)) as { corrections: Correction[] }).corrections,
  });
/** Without an amount all that the request cost is given back. */
export const correctCost = (body: { request_id: string; amount?: string; reason: string }): Promise<unknown> => http.post('/api/2.0/openfm/usage/corrections', body);

export const budgetsQuery = queryOptions({
  queryKey: ['budgets'],
  queryFn: async ({ signal }) => ((await http.get('/api/2.0/openfm/budgets', signal)) as { budgets: Budget[] }).budgets,
});

export const setBudget = (name: string, body: Pick<BudgetBody, 'amount' | 'period' | 'action'> & Partial<BudgetBody>): Promise<unknown> =>
  http.put(`/api/2.0/openfm/budgets/${encodeURIComponent(name)}`, body);
export const deleteBudget = (name: string): Promise<unknown> => http.delete(`/api/2.0/openfm/budgets/${encodeURIComponent(name)}`);

export type Row = Record<string, unknown>;

/** Ask the ledger in SQL: everybody's own rows, admins all. */
export const sqlQuery = (key: string, query: string, maxRows = 5_000) =>
  queryOptions({
    queryKey: ['sql', key, query],
    queryFn: async () => ((await http.post('/api/2.0/openfm/sql', { query, max_rows: maxRows })) as { rows: Row[] }).rows,
  });

/** A text as SQL writes it. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export type OperatorLimit = { id: string; scope: string; principal?: string; endpoint?: string; measure: string; amount: number; period?: string };

/** What share of an endpoint somebody has while several wait for it; who has none has 1. */
export type Weight = { scope: string; principal: string; weight: number };

export const limitsQuery = queryOptions({
  queryKey: ['limits'],
  queryFn: async ({ signal }) =>
    (await http.get('/api/2.0/openfm/limits', signal)) as {
      limits: OperatorLimit[];
      endpoints: { name: string; rate_limits: Record<string, unknown>[] }[];
      weights: Weight[];
    },
});
export const setWeight = (body: Weight): Promise<unknown> => http.put('/api/2.0/openfm/limits/weights', body);
export const deleteWeight = ({ scope, principal }: Weight): Promise<unknown> => http.delete(`/api/2.0/openfm/limits/weights?${new URLSearchParams({ scope, principal })}`);
export const setLimit = (body: Omit<OperatorLimit, 'id'>): Promise<unknown> => http.put('/api/2.0/openfm/limits', body);
export const deleteLimit = (id: string): Promise<unknown> => http.delete(`/api/2.0/openfm/limits/${encodeURIComponent(id)}`);

export type EndpointReport = {
  promised_throughput: number;
  objective: { ttft_ms: number | null; tpot_ms: number | null; e2e_ms: number | null; percentile: number };
  warning: string | null;
  minutes: {
    start_timestamp: number;
    requests: number;
    refused: number;
    failed: number;
    promised_throughput: number;
    delivered_throughput: number;
    ttft_ms: number | null;
    tpot_ms: number | null;
    e2e_ms: number | null;
    breaches: string[];
  }[];
};

export const endpointReportQuery = (name: string, minutes: number) =>
  queryOptions({
    queryKey: ['endpoints', name, 'report', minutes],
    queryFn: async ({ signal }) =>
      (await http.get(`/api/2.0/openfm/endpoints/${encodeURIComponent(name)}/report?minutes=${minutes}`, signal)) as EndpointReport,
    refetchInterval: 10_000,
  });
