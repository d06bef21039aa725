/** What can be set of an answer; what is left out is the server's default. */
export type Params = {
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  seed?: number;
  stop?: string[];
  reasoning_effort?: string;
  format?: 'json_object' | 'json_schema';
  /** The JSON schema as somebody wrote it. */
  schema?: string;
  /** Functions that the model may call, as JSON, as somebody wrote it. */
  tools?: string;
  /** none, required, or a function's name; left out, the model decides. */
  tool_choice?: string;
};

export type RawEvent = { ms: number; data: string };

export type Stats = {
  startedAt: number;
  ttftMs: number | null;
  totalMs: number;
  promptTokens: number | null;
  cachedTokens: number;
  completionTokens: number | null;
  reasoningTokens: number | null;
  finishReason: string | null;
  requestId: string | null;
  servedBy: string | null;
};

export type Failure = { message: string; requestId: string | null };

export type ToolCall = { id: string; name: string; arguments: string };

export type UserMessage = { id: string; role: 'user'; text: string };
/** What a function that the model called gave. */
export type ToolMessage = { id: string; role: 'tool'; callId: string; name: string; text: string };
export type AssistantMessage = {
  id: string;
  role: 'assistant';
  text: string;
  reasoning: string;
  toolCalls: readonly ToolCall[];
  status: 'running' | 'done' | 'stopped' | 'failed';
  stats: Stats;
  failure: Failure | null;
  request: Record<string, unknown>;
  /** The stream as it came; only the first are kept of very long ones, `eventCount` counts them all. */
  events: readonly RawEvent[];
  eventCount: number;
};
export type Message = UserMessage | AssistantMessage | ToolMessage;

export type Column = { id: string; endpoint: string; system: string; params: Params; messages: readonly Message[]; draft: string };

export type Sync = { prompt: boolean; settings: boolean };

export const MOST_COLUMNS = 4;
