/** A WebSocket to a recognizer that tells turns: what those of several providers have in common. */
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import { openSocket, type Socket, type SocketEnd, socketError } from "../socket.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";
import { createTurns, type TurnUpdate } from "./turns.ts";

/** The format of the audio, 16-bit little-endian samples. */
export const turnFormat = { sampleRate: 16_000, channels: 1 };
const bytesPerMs = turnFormat.sampleRate / 1000 * 2;

/** A connection on which nothing is sent, because the microphone is off, is kept by a ping as often as this. */
const pingMs = 20_000;
/** Final words that were asked for are taken as they are when they have not come by then. */
const answerMs = 1_000;
/** How long the last words may take after the end of the audio. */
const drainMs = 2_000;

/** How a provider's messages go. */
export interface TurnProtocol {
  /** As it is spelt ("Deepgram"). */
  readonly provider: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds of audio in a message, at the least. */
  readonly leastMs: number;
  /**
   * Reads a message: "ready" before any audio is sent; undefined when it is of no interest. Throws a StageError for one
   * that tells of a failure, and anything for one that is none.
   */
  read(message: unknown): TurnUpdate | "ready" | undefined;
  /** Asks for the final words; without it they are those of the first message about all audio that was sent by then. */
  readonly finalize?: object;
  /** Says that the audio is over. */
  readonly close: object;
  /** The code that it then closes with. */
  readonly closes: number;
  /** Has it wait longer in pauses, while something is dictated, and as ever after that. */
  configure(dictated: boolean): object;
}

/** Recognizes over connections of `protocol`. An aborted `transcribe()` fails with the signal's reason. */
export function transcribeTurns(protocol: TurnProtocol, clock: Clock): SpeechToText["transcribe"] {
  const { provider } = protocol;
  return (voice, { signal }) => {
    const over = new AbortController();
    const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => end() });
    const ready = Promise.withResolvers<void>();
    const turns = createTurns();
    const unsent = pieces(protocol.leastMs * bytesPerMs);
    let socket: Socket | undefined;
    let sentMs = 0;
    /** How much was sent when the final words were asked for. */
    let askedAtMs: number | undefined;
    let dictated = false;
    let drained = false;
    let keepAlive: Disposable | undefined;
    let wait: Disposable | undefined;

    /** Ends everything; the first call counts. */
    const end = (error?: unknown) => {
      if (over.signal.aborted) return;
      over.abort();
      ready.reject(over.signal.reason);
      keepAlive?.[Symbol.dispose]();
      wait?.[Symbol.dispose]();
      socket?.close();
      if (error === undefined) out.close();
      else out.error(error);
    };
    const emit = (event: TranscriptEvent | undefined) => {
      if (event) out.push(event);
    };
    const waitFor = (ms: number, then: () => void) => {
      wait?.[Symbol.dispose]();
      wait = clock.after(ms, then);
    };
    const tell = (message: object) => socket?.send(JSON.stringify(message));
    const send = (audio: Uint8Array | undefined) => {
      if (!audio) return;
      sentMs += audio.length / bytesPerMs;
      socket?.send(audio);
    };
    const ping = () => {
      socket?.ping();
      keepAlive = clock.after(pingMs, ping);
    };

    const ask = () => {
      if (protocol.finalize) tell(protocol.finalize);
      askedAtMs = sentMs;
      waitFor(answerMs, () => {
        askedAtMs = undefined;
        emit({ ...turns.finish() ?? { type: "interim", text: "" }, asked: true });
      });
    };
    /** Whether `update` answers the question for the final words. */
    const isAnswer = ({ change, heardMs = -1 }: TurnUpdate): boolean =>
      askedAtMs !== undefined && (change === "over" || heardMs >= askedAtMs);
    const read = (message: string | Uint8Array): TurnUpdate | "ready" | undefined => {
      try {
        return protocol.read(typeof message === "string" ? JSON.parse(message) : message);
      } catch (error) {
        if (error instanceof StageError) end(error);
        else {
          const words = `${provider} sent a message that is none`;
          end(new StageError("stt", words, { retryable: true, cause: error }));
        }
      }
    };
    const onMessage = (message: string | Uint8Array) => {
      const said = read(message);
      if (said === undefined) return;
      if (said === "ready") return ready.resolve();
      const asked = isAnswer(said);
      emit(turns.take(said, asked));
      if (!asked) return;
      askedAtMs = undefined;
      if (!drained) wait?.[Symbol.dispose]();
    };
    const onEnd = (why: SocketEnd) => {
      const clean = drained && why.type === "closed" && why.code === protocol.closes;
      if (drained) emit(turns.finish());
      end(clean ? undefined : socketError("stt", provider, why));
    };

    const write = (event: SpeechInput) => {
      if (event.type === "finalize") return ask();
      if (event.type === "audio") {
        const { buffer, byteOffset, byteLength } = event.frame.samples;
        return send(unsent.add(new Uint8Array(buffer, byteOffset, byteLength)));
      }
      if (event.type !== "speech-start" || (event.dictated ?? false) === dictated) return;
      dictated = !dictated;
      tell(protocol.configure(dictated));
    };
    const drain = () => {
      send(unsent.rest());
      drained = true;
      tell(protocol.close);
      waitFor(drainMs, () => {
        emit(turns.finish());
        end(new StageError("stt", `${provider} did not send its last words within ${drainMs / 1000} s`));
      });
    };

    signal.addEventListener("abort", () => end(signal.reason), { signal: over.signal });
    if (signal.aborted) end(signal.reason);
    else {
      const open = () => void (keepAlive = clock.after(pingMs, ping));
      const { url, headers } = protocol;
      socket = openSocket(url, headers, { open, message: onMessage, end: onEnd }, { clock });
    }
    // Until the connection is ready, the audio waits where it comes from.
    voice.pipeTo(new WritableStream({ start: () => ready.promise, write, close: drain }), {
      signal: over.signal,
    }).catch((error) => end(asStageError("stt", error)));
    return out.readable;
  };
}

/** Collects bytes until there are `least` of them. */
function pieces(least: number) {
  let waiting: Uint8Array[] = [];
  let length = 0;
  const take = (size: number) => {
    const piece = new Uint8Array(size);
    let at = 0;
    for (const part of waiting) {
      piece.set(part, at);
      at += part.length;
    }
    waiting = [];
    length = 0;
    return piece;
  };
  return {
    /** Adds a copy of `bytes`; all there is, once that is enough. */
    add(bytes: Uint8Array): Uint8Array | undefined {
      waiting.push(bytes.slice());
      length += bytes.length;
      return length < least ? undefined : take(length);
    },
    /** What is left, with silence behind it if it is too short. */
    rest: (): Uint8Array | undefined => length === 0 ? undefined : take(Math.max(least, length)),
  };
}
