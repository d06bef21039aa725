import { queryOptions } from '@tanstack/react-query';

import { http, path } from '@/api/http';

export type Objective = { ttft_ms: number | null; tpot_ms: number | null; e2e_ms: number | null; percentile: number };
export type Calibration = {
  id: string;
  entity_name: string;
  entity_version: string;
  state: 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED';
  is_provisional: boolean;
  progress: number;
  message: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  creator: string;
};
export type Rate = { batch: number; tokens_per_s: number };
export type Point = {
  kind: string;
  key: string;
  concurrency: number;
  requests: number;
  rate: number | null;
  ttft_ms: number | null;
  tpot_ms: number | null;
  e2e_ms: number | null;
  is_objective_met: boolean;
};
export type Profile = {
  setting: {
    engine: { name: string; version: string; slots: number; threads: number };
    hardware: { processor: string; cores: number; memory_bytes: number; gpus: string[] };
    objective: Objective;
    shape: [number, number];
    load_s: number;
    memory_bytes: number;
    measured_at: number;
  };
  saturated_work_per_s: number;
  knee_work_per_s: number;
  knee_requests_per_s: number;
  prefill: Rate[];
  decode: Rate[];
  points: Point[];
  is_provisional: boolean;
  throughput_chunk_size: number;
  warning: string | null;
};

export const isOpen = (one: Calibration): boolean => one.state === 'PENDING' || one.state === 'RUNNING';

/** What was and is being measured of a model; admins alone may ask. */
export const calibrationsQuery = (name: string) =>
  queryOptions({
    queryKey: ['calibrations', name],
    queryFn: async ({ signal }) =>
      ((await http.get(`/api/2.0/openfm/calibrations?entity_name=${encodeURIComponent(name)}`, signal)) as { calibrations: Calibration[] }).calibrations,
    refetchInterval: (query) => (query.state.data?.some(isOpen) ? 1_500 : false),
  });

export const profilesQuery = (name: string, version: number) =>
  queryOptions({
    queryKey: ['profiles', name, version],
    queryFn: async ({ signal }) =>
      ((await http.get(path`/api/2.0/openfm/models/${name}/${version}/throughput-profiles`, signal)) as { profiles: Profile[] }).profiles,
  });

export const startCalibration = (name: string, version: number, isQuick: boolean): Promise<unknown> =>
  http.post('/api/2.0/openfm/calibrations', { entity_name: name, entity_version: String(version), is_provisional: isQuick });
export const endCalibration = (id: string): Promise<unknown> => http.delete(path`/api/2.0/openfm/calibrations/${id}`);
