/** Voices by Cartesia: https://docs.cartesia.ai/api-reference/tts/websocket */
import { abortable } from "../abort.ts";
import { durationMs } from "../audio/frame.ts";
import { framesOf, sampleReader } from "../audio/pcm.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { languageCode } from "../text/language.ts";
import { type ContextListener, createLine } from "./cartesia_line.ts";
import { type Context, type SpeakOptions, voiceOn } from "./context_line.ts";
import type { VoicePool } from "./pool.ts";
import { sounds, speak } from "./speaking.ts";
import type { TextToSpeech, WordTime } from "./tts.ts";

/** The longest frame that is handed on, in milliseconds. */
const frameMs = 100;
/**
 * A context expires 1 s after its last audio, and what is sent to it after that is not spoken. One that may be about to,
 * so long after the last audio that came, is ended, and the next clause begins another.
 */
const restMs = 500;

const output = { sampleRate: 24_000, channels: 1 };

/**
 * Options as https://docs.cartesia.ai/api-reference/tts/websocket and
 * https://docs.cartesia.ai/build-with-cartesia/capability-guides/volume-speed-emotion have them.
 */
export interface CartesiaTextToSpeechOptions {
  readonly apiKey: string;
  /** Another address of theirs (default: https://api.cartesia.ai); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** Default: sonic-3. */
  readonly model?: string | undefined;
  /** The voice's id (default: Katie, whom they recommend for agents). */
  readonly voice?: string | undefined;
  /** BCP 47; the voice's own when it is left out. */
  readonly language?: string | undefined;
  /** 0.6–1.5; 1 is the voice's own. Sonic 3, as the next two. */
  readonly speed?: number | undefined;
  /** 0.5–2; 1 is the voice's own. */
  readonly volume?: number | undefined;
  /** Such as "calm" or "excited" (default: what the text suggests). */
  readonly emotion?: string | undefined;
  /** Where a session's connection is kept for the next (default: it is closed). */
  readonly pool?: VoicePool | undefined;
  readonly clock: Clock;
  /** Told of connections that were lost between two replies. */
  readonly log?: Log | undefined;
}

/**
 * Speaks with Cartesia, and says when each word sounds. One connection a session, which is made anew when it was idle for
 * their 5 minutes; a context for each reply, every clause spoken as it comes. Over a socket of our own: their SDK's
 * connection tells neither why it was refused nor that it has ended. An aborted `synthesize()` fails with the signal's
 * reason; any other failure is a StageError of stage "tts".
 */
export function cartesiaTextToSpeech(
  {
    apiKey,
    baseUrl = "https://api.cartesia.ai",
    model = "sonic-3",
    voice = "f786b574-daa5-4673-aa0c-cbe3e8534c02",
    language,
    speed,
    volume,
    emotion,
    pool,
    clock,
    log,
  }: CartesiaTextToSpeechOptions,
): TextToSpeech {
  const code = languageCode(language);
  const config = {
    ...(speed !== undefined && { speed }),
    ...(volume !== undefined && { volume }),
    ...(emotion !== undefined && { emotion }),
  };
  const request = {
    model_id: model,
    voice: { mode: "id", id: voice },
    output_format: { container: "raw", encoding: "pcm_s16le", sample_rate: output.sampleRate },
    ...(code && { language: code }),
    ...(Object.keys(config).length > 0 && { generation_config: config }),
    add_timestamps: true,
    use_normalized_timestamps: false, // the words as they were sent
    max_buffer_delay_ms: 0, // whole clauses are sent: none waits for more text
  };
  const kind = { url: `${baseUrl}/tts/websocket`, apiKey, request };
  const newLine = () => createLine({ ...kind, clock, log });
  return voiceOn({ provider: "cartesia", model, output }, { newLine, speakOn, kind, pool, clock });
}

/** Speaks one reply: on one context, or on several, one after the other, where its text comes with long pauses. */
function speakOn(
  text: ReadableStream<string>,
  { line, clock, signal, onEnd }: SpeakOptions<ContextListener>,
) {
  let read = sampleReader();
  let context: Context | undefined;
  let finished = Promise.withResolvers<void>();
  let characters = 0;
  let audioMs = 0;
  /** Where the context's audio begins in the reply. */
  let fromMs = 0;
  let soundedMs = 0;
  /** There was no audio since the last clause. */
  let owed = false;
  /** The context was told to end. */
  let ended = false;
  let textEnded = false;

  return speak(text, signal, (reply) => {
    const listener = {
      audio(bytes: Uint8Array) {
        for (const frame of framesOf(read(bytes), output, frameMs)) {
          audioMs += durationMs(frame);
          reply.push({ type: "audio", frame });
        }
        soundedMs = clock.now();
        owed = false;
      },
      words(times: readonly WordTime[]) {
        const words = times.map(({ text, startMs, endMs }) => (
          { text, startMs: fromMs + startMs, endMs: fromMs + endMs }
        ));
        reply.push({ type: "words", words });
      },
      final() {
        context = undefined;
        // Unless it was told to end, it ends by expiring.
        if (owed || (!ended && clock.now() - soundedMs < restMs)) {
          const message = "Cartesia ended the reply before its text was spoken";
          return reply.fail(new StageError("tts", message, { retryable: true }));
        }
        reply.push({ type: "mark", characters });
        finished.resolve();
        if (textEnded) reply.spoken();
      },
      fail: reply.fail,
    };
    const end = () => {
      ended = true;
      context?.end();
    };
    const begin = () => {
      ended = false;
      read = sampleReader();
      fromMs = audioMs;
      finished = Promise.withResolvers();
      return line.context(listener);
    };
    reply.signal.addEventListener("abort", () => context?.release());
    return {
      start: () => abortable(line.open(), reply.signal),
      async write(clause) {
        if (context && !owed && clock.now() - soundedMs >= restMs) {
          end();
          await abortable(finished.promise, reply.signal);
        }
        characters += clause.length;
        if (!sounds(clause)) return;
        await abortable(line.open(), reply.signal);
        context ??= begin();
        owed = true;
        context.speak(clause.replace(/\s+/g, " "));
      },
      close() {
        textEnded = true;
        if (context) end();
        else reply.spoken();
      },
      release: () => onEnd?.(),
    };
  }).events;
}
