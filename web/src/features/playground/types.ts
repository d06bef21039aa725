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
  /** How many answers; the conversation goes on with the first, or with the one that somebody chooses. */
  n?: number;
  /** Whether each token comes with its probability, and with what else could have been there. */
  logprobs?: true;
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

/** A token of an answer, with the natural logarithm of its probability; `top` are the likeliest in its place. */
export type Token = { text: string; logprob: number; top: readonly { text: string; logprob: number }[] };

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
  /** The other answers to the same question, where several were asked for. */
  others: readonly string[];
  /** Where they were asked for, once the answer is whole; only the first are kept of very long ones. */
  tokens: readonly Token[];
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

/** What is the same for all columns. */
export type Sync = { prompt: boolean; system: boolean; params: boolean };
export const ALL_SAME: Sync = { prompt: true, system: true, params: true };

export const MOST_COLUMNS = 4;
/** As the server has it. */
export const MOST_ANSWERS = 16;
