/** What went wrong, in the server's own sentence; `status` 0 is a server that cannot be reached. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly requestId: string | null,
    /** The part of the request that is meant, where the server says so. */
    readonly field: string | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  get isUnreachable(): boolean {
    return this.status === 0;
  }
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The error that a body tells of, in Databricks' shape or OpenAI's. */
export function problemOf(status: number, body: string, requestId: string | null, field: string | null = null): ApiError {
  let parsed: Record<string, unknown> = {};
  try {
    parsed = asRecord(JSON.parse(body));
  } catch {
    // a proxy's page: its words are not for people
  }
  const inner = asRecord(parsed.error);
  const message = asText(parsed.message) || asText(inner.message) || `The server answered with status ${status} and no reason.`;
  return new ApiError(message, status, asText(parsed.error_code) || asText(inner.code), requestId, field);
}

export const unreachable = (): ApiError =>
  new ApiError('The server cannot be reached. Check that it runs; this page goes on by itself once it does.', 0, 'UNREACHABLE', null);

/** Any thrown thing as something to show. */
export function shownError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(error instanceof Error ? error.message : String(error), -1, '', null);
}
