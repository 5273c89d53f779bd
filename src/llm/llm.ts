import type { StageError } from "../errors.ts";
/** A call of a tool, as a model made it. */
export interface ToolCall {
  /** The model's own name for this call, under which it gets its result; no other call of the same answer has it. */
  readonly id: string;
  readonly name: string;
  /** Parsed JSON, not validated; undefined when the model wrote no JSON. */
  readonly arguments: unknown;
  /** What the model wrote, when it was no JSON. */
  readonly malformed?: string;
}

/** A picture that a model is shown; the image content of MCP is one. */
export interface ImagePart {
  readonly type: "image";
  /** Such as "image/jpeg"; what formats there may be, the model says. */
  readonly mimeType: string;
  /** The file, in base64. */
  readonly data: string;
}

/** What a language model is told. Each call of an assistant's message is followed at once by its one result. */
export type Message =
  | { readonly role: "system"; readonly content: string }
  /** With `images`, in the order in which they were taken, what the user showed meanwhile. */
  | { readonly role: "user"; readonly content: string; readonly images?: readonly ImagePart[] }
  /** With `toolCalls`, `content` is what was said before them, which may be nothing. */
  | { readonly role: "assistant"; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  /** With `images`, what the tool has brought besides its words. */
  | {
    readonly role: "tool";
    readonly callId: string;
    readonly content: string;
    readonly images?: readonly ImagePart[];
  };

/** A tool as a model is told of it. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object, draft 2020-12: https://json-schema.org/draft/2020-12 */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Which tools a model may use: as it sees fit, none, at least one, or that one. */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

/** Tokens as the provider counts them. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Those of the input that it had in its cache, where it tells. */
  readonly cachedInputTokens?: number;
  /** Those of them all that are sound, of a model that hears and speaks. */
  readonly audio?: Omit<TokenUsage, "audio">;
}

/** The tokens of two requests together, as far as they were counted. */
export function sumTokens<U extends TokenUsage | undefined>(a: U, b: U): U {
  if (!a || !b) return a ?? b;
  const cachedInputTokens = (a.cachedInputTokens ?? 0) + (b.cachedInputTokens ?? 0);
  const audio = sumTokens(a.audio, b.audio);
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    ...(cachedInputTokens > 0 && { cachedInputTokens }),
    ...(audio && { audio }),
  } as U;
}

/** What comes back, in order; `finish` is the last event of a whole answer. */
export type LanguageEvent =
  | { readonly type: "text"; readonly text: string }
  /** A call that is complete; calls of one answer may be carried out at the same time. */
  | { readonly type: "tool-call" } & ToolCall
  | {
    readonly type: "finish";
    readonly reason: "stop" | "length" | "content-filter" | "tool-calls" | "other";
    readonly usage?: TokenUsage;
  };

/** What a language model is asked. */
export interface LanguageRequest {
  readonly messages: readonly Message[];
  /** What it may call (default: nothing). */
  readonly tools?: readonly ToolSpec[];
  /** Default "auto"; says nothing to a model that has no tools. */
  readonly toolChoice?: ToolChoice;
}

/** A language model. */
export interface LanguageModel {
  readonly provider: string;
  readonly model: string;
  /** It hears the user's voice itself: it need not be told what they have said last to answer it. */
  readonly hearsVoice?: true;
  /**
   * Generates one answer. A failure errors the stream with a StageError of stage "llm"; aborting `signal`, or
   * cancelling the stream, stops the request. Calls of tools are told, not carried out.
   */
  generate(
    request: LanguageRequest,
    options: { readonly signal: AbortSignal },
  ): ReadableStream<LanguageEvent>;
  /**
   * Keeps a connection to its server open until `signal` aborts, so that no request waits for a handshake. Absent where
   * there is nothing to keep.
   */
  connect?(options: { readonly signal: AbortSignal }): void;
  /** Of one that is made of several: the same, each of them wrapped; `onFallback` is told of failures that others made good. */
  each?(
    wrap: (member: LanguageModel) => LanguageModel,
    onFallback?: (error: StageError) => void,
  ): LanguageModel;
}

/** An id for a call whose model gave it none, or one that is taken; the API takes up to 40 characters. */
export const newCallId = (): string => `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
