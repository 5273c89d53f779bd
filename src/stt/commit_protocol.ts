/** How a recognizer is spoken to that is told when words are to be final. */
import type { AudioFormat } from "../audio/frame.ts";
import type { StageError } from "../errors.ts";
import type { TranscriptEvent } from "./stt.ts";

/** What a provider takes: 16 kHz mono. */
export const committedFormat: AudioFormat = { sampleRate: 16_000, channels: 1 };

/** How one provider is spoken to. */
export interface CommitProtocol {
  /** As it is spelt in errors. */
  readonly provider: string;
  /** Whether it is sent the silence, too. */
  readonly sendsSilence: boolean;
  /** It does not take less than this at a time: silence is put behind what is shorter; milliseconds. */
  readonly leastMs: number;
  /** What was committed is expected back within this time, in milliseconds. */
  readonly patienceMs: number;
  /** It ends a connection that is sent no audio: some silence is sent every so often, in milliseconds. */
  readonly keepAliveMs?: number;
  /** A connection is replaced at this age, in the next silence; milliseconds. */
  readonly longestMs?: number;
  connect(listener: CommitListener): CommitConnection;
}

export interface CommitConnection {
  /** Takes audio in `committedFormat`. */
  send(samples: Int16Array): void;
  /** Has the words of what was sent since the last commit made final. */
  commit(): void;
  /** Asks whether the provider is there: `alive()` is the answer. */
  ping?(): void;
  /** Hangs up; the listener is told nothing from now on. */
  close(): void;
}

/** Final words, as the provider has them: none where there was no speech; times are from the connection's first audio. */
export type Committed = Omit<Extract<TranscriptEvent, { type: "final" }>, "type" | "asked" | "endOfTurn">;

export interface CommitListener {
  /** Audio is taken from now on. */
  begun(): void;
  /** What has been heard so far of the first piece that is not final. */
  interim(text: string): void;
  /** One piece is final; they come in the order in which they were committed. */
  final(words: Committed): void;
  alive(): void;
  /** The connection has come to its end as they all do: another follows, at once where nobody is speaking. */
  expired(error: StageError): void;
  fail(error: StageError): void;
}
