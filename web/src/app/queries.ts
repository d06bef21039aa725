import { QueryClient } from '@tanstack/react-query';

import { ApiError } from '@/lib/problem';

const isPassing = (error: unknown): boolean => error instanceof ApiError && (error.isUnreachable || error.status === 503);

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always', // loopback needs no network
      staleTime: 2_000,
      retry: (failures, error) => isPassing(error) && failures < 2,
      retryDelay: 700,
    },
    mutations: { networkMode: 'always' },
  },
});
