/** The model's voice: what it answers is heard as it has spoken it, and other words are given to it to read. */
import { generated, untilAborted } from "../abort.ts";
import { durationMs } from "../audio/frame.ts";
import type { Clock } from "../clock.ts";
import { asStageError } from "../errors.ts";
import { sounds } from "../tts/speaking.ts";
import type { SpeechEvent, TextToSpeech } from "../tts/tts.ts";
import type { Log } from "../log.ts";
import { ofStage } from "./of_stage.ts";
import type { Line } from "./line.ts";
import type { RealtimeResponse } from "./response.ts";

/** Words to read that come together are read together: so long is waited for more, in milliseconds. */
const gatherMs = 10;

const readAloud =
  "You are a voice that reads aloud. Say the user's message word for word, in its own language, as if you " +
  "said it yourself. Do not answer it, add nothing, leave nothing out.";

/** A response in a reply, and where in it it begins, in milliseconds. */
interface Span {
  readonly response: RealtimeResponse;
  readonly fromMs: number;
}

/** A voice on `line`. */
export function speakingOn(
  line: Line,
  { provider, model, clock, log }: {
    readonly provider: string;
    readonly model: string;
    readonly clock: Clock;
    readonly log?: Log | undefined;
  },
): TextToSpeech {
  const voice: TextToSpeech = {
    provider,
    model,
    output: line.format,
    verbatim: true,
    synthesize: (text, { signal, heardMs }) => {
      const spans: Span[] = [];
      void heardMs?.then((ms) => cut(line, spans, ms));
      return generated(signal, (signal) => speak(line, text, spans, clock, signal));
    },
  };
  return {
    ...voice,
    connect({ signal }) {
      if (signal.aborted) return voice;
      const held = line.hold();
      signal.addEventListener("abort", () => held[Symbol.dispose](), { once: true });
      line.open().catch((error) => {
        if (!signal.aborted) log?.warn({ error }, "not connected ahead; whoever needs it tries again");
      });
      return voice;
    },
  };
}

/** Tells the server how much was heard of what it has of a reply. */
function cut(line: Line, spans: readonly Span[], heardMs: number): void {
  for (const { response, fromMs } of spans) {
    let atMs = fromMs;
    for (const { itemId, audioMs } of response.inConversation ? response.parts : []) {
      const heardOfIt = heardMs - atMs;
      atMs += audioMs;
      // What was not heard at all is in no history, and is taken out of the conversation with the next answer.
      if (heardOfIt <= 0 || (heardOfIt > audioMs - 1 && response.isWhole && !response.cancelled)) continue;
      const edit = line.conversation.cut(itemId, Math.min(heardOfIt, audioMs));
      if (edit) line.connection?.edit(edit);
    }
  }
}

async function* speak(
  line: Line,
  text: ReadableStream<string>,
  spans: Span[],
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent> {
  using _ = line.hold();
  const pieces = readAhead(text, signal);
  let characters = 0;
  let audioMs = 0;

  /** The sound of a response, and where its words end in it as soon as that is known. */
  async function* play(response: RealtimeResponse, endsAt: () => number): AsyncGenerator<SpeechEvent> {
    const fromMs = audioMs;
    let isMarked = false;
    const end = (): SpeechEvent => ({
      type: "mark",
      characters: endsAt(),
      audioMs: fromMs + response.audioMs,
    });
    spans.push({ response, fromMs });
    for await (const frame of untilAborted(response.audio, signal)) {
      audioMs += durationMs(frame);
      yield { type: "audio", frame };
      if (response.isWhole && !isMarked) {
        isMarked = true;
        yield end();
      }
    }
    if (response.audioMs > 0 && !isMarked) yield end();
  }

  let current: RealtimeResponse | undefined;
  for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
    const from = characters;
    characters += piece.length;
    if (current?.takes(piece)) continue;
    current = line.responses.values().find((response) => response.takes(piece));
    if (current) {
      const answer = current;
      line.responses.delete(answer);
      try {
        yield* play(answer, () => from + answer.text.length);
      } catch (error) {
        // Whoever answers has failed, and says so; what there was of it is heard.
        if (signal.aborted) throw error;
      }
      continue;
    }
    if (!sounds(piece)) continue;
    await clock.sleep(gatherMs, { signal });
    const more = pieces.takeWhile((piece) =>
      !line.responses.values().some(({ text }) => text.startsWith(piece))
    );
    characters += more.length;
    yield* read(piece + more);
  }
  return;

  /** Has `words` read; once more, when that fails before there is a sound. */
  async function* read(words: string): AsyncGenerator<SpeechEvent> {
    const end = characters;
    for (let isFirst = true;; isFirst = false) {
      const before = audioMs;
      let response: RealtimeResponse | undefined;
      try {
        await line.open();
        response = line.respond({ instructions: readAloud, input: words });
        return yield* play(response, () => end);
      } catch (error) {
        const isRetryable = isFirst && audioMs === before && asStageError("tts", error).retryable;
        if (signal.aborted || !isRetryable) throw ofStage("tts", error);
      } finally {
        if (response) line.cancel(response);
      }
    }
  }
}

/** Reads `text` as fast as it comes, until `signal` aborts. */
function readAhead(text: ReadableStream<string>, signal: AbortSignal) {
  const waiting: string[] = [];
  let ended: { readonly failure?: { readonly error: unknown } } | undefined;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const write = (piece: string) => {
    waiting.push(piece);
    change();
  };
  const end = (failure?: { readonly error: unknown }) => {
    ended = failure ? { failure } : {};
    change();
  };
  text.pipeTo(new WritableStream({ write }), { signal }).then(() => end(), (error) => end({ error }));
  return {
    /** The next piece, when there is one; undefined at the end. */
    async next(): Promise<string | undefined> {
      while (waiting.length === 0 && !ended) await changed.promise;
      if (waiting.length === 0 && ended?.failure) throw ended.failure.error;
      return waiting.shift();
    },
    /** What is there already, up to the first that does not fit. */
    takeWhile(fits: (piece: string) => boolean): string {
      const end = waiting.findIndex((piece) => !fits(piece));
      return waiting.splice(0, end < 0 ? waiting.length : end).join("");
    },
  };
}
