/** How a model that hears and speaks is spoken to: what its provider's file brings, for all else to be the same. */
import type { AudioFormat } from "../audio/frame.ts";
import type { StageError } from "../errors.ts";
import type { LanguageRequest } from "../llm/llm.ts";
import type { Edit } from "./conversation.ts";
import type { RealtimeResponse } from "./response.ts";

/** One provider's wire. */
export interface RealtimeProtocol {
  /** As it is spelt in errors. */
  readonly provider: string;
  /** What the model hears and speaks. */
  readonly format: AudioFormat;
  /** Less of the user's voice than this cannot be committed, in milliseconds. */
  readonly leastMs: number;
  /** A connection is replaced at this age, when nothing is under way; milliseconds. */
  readonly longestMs: number;
  connect(listener: RealtimeListener): RealtimeConnection;
}

/** A connection, with a conversation of its own that is empty at first. */
export interface RealtimeConnection {
  /** Takes the user's voice. */
  send(samples: Int16Array): void;
  /** What was sent since the last commit becomes an utterance, at the end of the conversation. */
  commit(): void;
  /** Forgets what was sent since the last commit. */
  clear(): void;
  /** Changes the conversation. */
  edit(edit: Edit): void;
  /** Has the model make `response`, of which it tells that itself. */
  respond(response: RealtimeResponse, request: ResponseRequest): void;
  /** It is not wanted any more. */
  cancel(response: RealtimeResponse): void;
  /** Asks whether the provider is there: `alive()` is the answer. */
  ping(): void;
  /** Hangs up; the listener is told nothing from now on. */
  close(): void;
}

/** What the model is asked. */
export interface ResponseRequest extends Pick<LanguageRequest, "tools" | "toolChoice"> {
  readonly instructions: string;
  /** What it answers in place of the conversation, of which that is then no part. */
  readonly input?: string;
}

/** What becomes of an utterance; `id`: what the server calls it. "delta": more of its words. */
export type UtteranceEvent =
  | { readonly type: "committed" | "failed"; readonly id: string }
  | { readonly type: "delta" | "completed"; readonly id: string; readonly words: string };

export interface RealtimeListener {
  /** The session has begun. */
  begun(): void;
  alive(): void;
  utterance(event: UtteranceEvent): void;
  /** The model speaks, or makes a call, in the conversation; `id`: what the server calls that. */
  spoke(id: string, response: RealtimeResponse): void;
  called(id: string, callId: string): void;
  /** The connection is of no more use; `error` is of stage "llm". */
  fail(error: StageError): void;
}
