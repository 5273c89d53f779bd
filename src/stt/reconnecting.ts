/** A recognizer that outlives its connections: the next one goes on where the last final words ended. */
import { abortable } from "../abort.ts";
import { durationMs } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import type { VoiceEvent } from "../vad/vad.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";

/**
 * A connection that was sent `speech` since its last event is dead when it says nothing until `speech` and `quiet` have
 * passed since that began, or until `late` after what was sent again, all at once. In silence it may be quiet for ever.
 */
const stallMs = { speech: 2_000, quiet: 1_000, late: 2_000 };
/** The first attempt after a failure is made at once, the next after `first`, doubling up to `most`. */
const backoffMs = { first: 250, most: 5_000 };
/** A connection that held this long was a good one: its failure begins the count anew. */
const stableMs = 5_000;
/** How much of what has no final words yet is kept: around speech, and of the silence before the next. */
const keptMs = { speech: 30_000, silence: 1_000 };
/** No more words are expected this long after speech ended. */
const settledMs = 5_000;

export interface ReconnectingOptions {
  readonly clock: Clock;
  /** Told of every failure that was survived. */
  readonly onError?: (error: StageError) => void;
}

/**
 * Wraps `stt` so that a failed or dead connection is replaced, at once and then with a growing delay, and the audio since
 * the last final words is sent again: at most one utterance is lost, and no word comes twice. What is not retryable (a
 * refused key) is tried again every 5 s. The transcripts close when `voice` ends or `signal` aborts; they fail only
 * when `voice` does.
 */
export function reconnecting(stt: SpeechToText, { clock, onError }: ReconnectingOptions): SpeechToText {
  const transcribe: SpeechToText["transcribe"] = (voice, { signal }) => {
    /** Ends everything here: the caller is gone, or the voice is. */
    const over = new AbortController();
    const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => over.abort() });
    const recent = recentVoice();
    let current: Connection | undefined;
    let voiceEnded = false;

    /** One connection, from its first event to its last; settles with its failure, or with nothing at a clean end. */
    const connect = async (): Promise<StageError | undefined> => {
      const { fromMs } = recent;
      const connection = new Connection(stt, clock, over.signal);
      current = connection;
      for (const event of recent.events()) connection.send(event);
      if (voiceEnded) connection.end();
      try {
        await connection.receive((event) => {
          if (event.type === "interim") return out.push(event);
          const words = event.words?.map((word) => ({
            ...word,
            startMs: word.startMs + fromMs,
            endMs: word.endMs + fromMs,
          }));
          const endMs = words?.at(-1)?.endMs;
          const untilMs = endMs === undefined ? undefined : recent.capturedMs(endMs);
          recent.forget(endMs ?? Infinity);
          out.push({ ...event, ...(words && { words }), ...(untilMs !== undefined && { untilMs }) });
        });
        return voiceEnded ? undefined : ended;
      } catch (error) {
        return asStageError("stt", error);
      } finally {
        current = undefined;
      }
    };

    const run = async () => {
      for (let failures = 0;; failures++) {
        const beganMs = clock.now();
        const error = await connect();
        if (!error || over.signal.aborted) return;
        onError?.(error);
        if (voiceEnded) return;
        if (clock.now() - beganMs >= stableMs) failures = 0;
        const waitMs = error.retryable
          ? Math.min(failures && backoffMs.first * 2 ** (failures - 1), backoffMs.most)
          : backoffMs.most;
        if (waitMs > 0) await clock.sleep(waitMs, { signal: over.signal });
      }
    };

    if (signal.aborted) over.abort();
    signal.addEventListener("abort", () => over.abort(), { signal: over.signal });
    const write = (event: SpeechInput) => {
      if (event.type !== "finalize") recent.push(event); // asked for later, it is something else
      current?.send(event);
    };
    voice.pipeTo(new WritableStream({ write }), { signal: over.signal }).then(() => {
      voiceEnded = true;
      if (current) current.end();
      else over.abort();
    }, (error) => {
      if (!over.signal.aborted) out.error(error);
      over.abort();
    });
    run().then(() => out.close(), (error) => over.signal.aborted ? out.close() : out.error(error))
      .finally(() => over.abort());
    return out.readable;
  };
  return { provider: stt.provider, model: stt.model, input: stt.input, transcribe };
}

const ended = new StageError("stt", "the recognizer ended before the voice did", { retryable: true });

/** One connection of `stt`, watched: it fails when it stalls, and lets go when `over` aborts even if `stt` does not. */
class Connection {
  readonly #clock: Clock;
  readonly #cut = new AbortController();
  readonly #input = liveStream<SpeechInput>({ limit: keptMs.speech, size: lengthMs });
  readonly #events: ReadableStream<TranscriptEvent>;
  #unansweredMs = 0;
  /** When the first of that was sent (clock milliseconds). */
  #unansweredSinceMs = 0;
  #watch: Disposable | undefined;

  constructor(stt: SpeechToText, clock: Clock, over: AbortSignal) {
    this.#clock = clock;
    if (over.aborted) this.#cut.abort(over.reason);
    over.addEventListener("abort", () => this.#cut.abort(over.reason), { signal: this.#cut.signal });
    this.#events = stt.transcribe(this.#input.readable, { signal: this.#cut.signal });
  }

  send(event: SpeechInput): void {
    this.#input.push(event);
    if (event.type !== "audio" || !event.speech) return;
    const nowMs = this.#clock.now();
    if (this.#unansweredMs === 0) this.#unansweredSinceMs = nowMs;
    this.#unansweredMs += lengthMs(event);
    if (this.#unansweredMs < stallMs.speech) return;
    const dueMs = this.#unansweredSinceMs + stallMs.speech + stallMs.quiet;
    const waitMs = Math.min(Math.max(dueMs - nowMs, stallMs.quiet), stallMs.late);
    this.#watch ??= this.#clock.after(waitMs, () => {
      const silentMs = this.#clock.now() - this.#unansweredSinceMs;
      const message = `the recognizer has said nothing for ${
        (silentMs / 1000).toFixed(1)
      } s although there is speech`;
      this.#cut.abort(new StageError("stt", message, { retryable: true }));
    });
  }

  /** The voice has ended: what is left of the words may still come. */
  end(): void {
    this.#input.close();
  }

  async receive(each: (event: TranscriptEvent) => void): Promise<void> {
    const { signal } = this.#cut;
    const read = async () => {
      for await (const event of this.#events) {
        if (signal.aborted) return;
        this.#heard();
        each(event);
      }
    };
    try {
      await abortable(read(), signal);
    } finally {
      this.#heard();
      this.#cut.abort();
    }
  }

  #heard(): void {
    this.#unansweredMs = 0;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }
}

/** The voice that has no final words yet. Positions are milliseconds from the first audio that came. */
function recentVoice() {
  const kept: { readonly event: VoiceEvent; readonly fromMs: number }[] = [];
  let endMs = 0;
  let speaking = false;
  let silentFromMs = 0;
  const forget = (untilMs: number) => {
    for (let first = kept[0]; first; first = kept[0]) {
      if (first.fromMs + lengthMs(first.event) > untilMs) return;
      kept.shift();
    }
  };
  return {
    /** Where what is kept begins. */
    get fromMs() {
      return kept[0]?.fromMs ?? endMs;
    },
    events: () => kept.map(({ event }) => event),
    /** When that was captured (clock milliseconds); undefined where it is not kept. */
    capturedMs(atMs: number): number | undefined {
      for (const { event, fromMs } of kept.toReversed()) {
        if (event.type === "audio" && fromMs <= atMs) return event.frame.timestampMs + atMs - fromMs;
      }
    },
    forget,
    push(event: VoiceEvent): void {
      kept.push({ event, fromMs: endMs });
      endMs += lengthMs(event);
      if (event.type === "speech-start") speaking = true;
      if (event.type === "speech-end") {
        speaking = false;
        silentFromMs = endMs;
      }
      const settled = !speaking && endMs - silentFromMs > settledMs;
      forget(endMs - (settled ? keptMs.silence : keptMs.speech));
    },
  };
}

function lengthMs(event: SpeechInput): number {
  return event.type === "audio" ? durationMs(event.frame) : 0;
}
