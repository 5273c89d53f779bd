/** How a service is spoken to that keeps one WebSocket for many replies, each of them in a context of its own. */
import type { StageError } from "../errors.ts";
import type { Alignment } from "./alignment.ts";
import type { WordTime } from "./tts.ts";

/** What is sent, as JSON. */
export type Request = Readonly<Record<string, unknown>>;

/** One provider's messages, and what is to be known of its contexts; `id`: the context's. */
export interface ContextProtocol {
  /** As it is spelt in errors. */
  readonly provider: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How its contexts speak: the same where one connection may stand in for another. */
  readonly settings: Request;
  /** Where a context is begun by a message, one is begun ahead for the next reply. */
  readonly begin?: (id: string) => Request;
  /** What is sent to each context after so many milliseconds, again and again, so that the connection is not closed. */
  readonly keepAlive?: { readonly afterMs: number; readonly request: (id: string) => Request };
  /** So many contexts a connection holds (default: any number); one that was cut off counts until the server has ended it. */
  readonly mostContexts?: number;
  /** Has `text` spoken without waiting for more; its words are parted by single spaces. */
  speak(id: string, text: string): Request;
  /** There is no more text: the context is final when all is spoken. */
  end(id: string): Request;
  /** What is not spoken yet is not wanted (default: as `end`). */
  readonly cancel?: (id: string) => Request;
  /** What a message says; undefined when it is none. */
  read(data: string): ContextMessage | undefined;
  /** Whether a context that has rested is to be ended before the next clause, which another one then speaks (default: never). */
  readonly isStale?: (progress: ContextProgress) => boolean;
  /** When a context is told to end whose text is complete: so long after now, in milliseconds; undefined: when there is more audio. */
  endAfterMs(progress: ContextProgress): number | undefined;
  /** What is wrong where a context has become final by now; undefined: nothing. */
  incomplete(progress: ContextProgress): StageError | undefined;
}

/** A message of the server's. */
export interface ContextMessage {
  /** The id of the context that it is about; undefined: the connection. */
  readonly context: string | undefined;
  readonly events: readonly ContextEvent[];
}

/** What a context brings. */
export type ContextEvent =
  /** 16-bit little-endian samples, cut anywhere. */
  | { readonly type: "audio"; readonly bytes: Uint8Array }
  /** The words' times count from the context's first sample. */
  | { readonly type: "words"; readonly words: readonly WordTime[] }
  /** The characters that the next audio speaks, or some of the following, too; their times count from its first sample. */
  | { readonly type: "alignment"; readonly alignment: Alignment }
  /** Nothing more comes, and no more text is taken. */
  | { readonly type: "final" }
  /** `final`: nothing more comes. */
  | { readonly type: "error"; readonly error: StageError; readonly final?: true };

/** How far a reply is that is spoken in a context, or in one context after another. */
export interface ContextProgress {
  /** There is no more text. */
  readonly textEnded: boolean;
  /** The context was told to end. */
  readonly ended: boolean;
  /** The reply's audio so far, in milliseconds. */
  readonly audioMs: number;
  /** For so long no audio has come, in milliseconds. */
  readonly quietMs: number;
  /** No audio has come since the last clause was sent. */
  readonly owed: boolean;
  /** The last clause is being spoken, as the alignments show. */
  readonly reachedLast: boolean;
}
