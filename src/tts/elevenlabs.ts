/** Voices by ElevenLabs: https://elevenlabs.io/docs/api-reference/multi-context-websocket */
import { abortable } from "../abort.ts";
import { durationMs } from "../audio/frame.ts";
import { framesOf, sampleReader } from "../audio/pcm.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { languageCode } from "../text/language.ts";
import { type Context, type SpeakOptions, voiceOn } from "./context_line.ts";
import { type ContextListener, createLine } from "./elevenlabs_line.ts";
import { spokenWords } from "./elevenlabs_words.ts";
import type { VoicePool } from "./pool.ts";
import { sounds, speak } from "./speaking.ts";
import type { TextToSpeech } from "./tts.ts";

/** The longest frame that is handed on, in milliseconds. */
const frameMs = 100;
/** Where the times do not show that the last of the text is being spoken, this long without audio does. */
const quietMs = 1_000;

/** What `output_format=pcm_24000` is. */
const output = { sampleRate: 24_000, channels: 1 };

/**
 * Options as https://elevenlabs.io/docs/api-reference/multi-context-websocket has them. Those of the voice are the
 * voice's own (as saved in the account) when they are left out.
 */
export interface ElevenLabsTextToSpeechOptions {
  readonly apiKey: string;
  /** Another address of theirs (default: https://api.elevenlabs.io); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** Any but Eleven v3, which is not spoken by this protocol (default: eleven_turbo_v2_5). */
  readonly model?: string | undefined;
  /** The voice's id (default: George, whom every account has). */
  readonly voice?: string | undefined;
  /** BCP 47, for the models that take one (those of version 2.5); otherwise found in the text. */
  readonly language?: string | undefined;
  /** 0.7–1.2; 1 is the voice's own. */
  readonly speed?: number | undefined;
  /** 0–1: how even the voice is (theirs: 0.5). */
  readonly stability?: number | undefined;
  /** 0–1: how close to the original it keeps (theirs: 0.75). */
  readonly similarity?: number | undefined;
  /** Where a session's connection is kept for the next (default: it is closed). */
  readonly pool?: VoicePool | undefined;
  readonly clock: Clock;
  /** Told of connections that were lost between two replies. */
  readonly log?: Log | undefined;
}

/**
 * Speaks with ElevenLabs, and says when each word sounds. One connection a session, a context for each reply, every
 * clause spoken as it comes. An aborted `synthesize()` fails with the signal's reason; any other failure is a StageError
 * of stage "tts".
 */
export function elevenlabsTextToSpeech(
  {
    apiKey,
    baseUrl = "https://api.elevenlabs.io",
    model = "eleven_turbo_v2_5",
    voice = "JBFqnCBsd6RMkjVDRZzb",
    language,
    speed,
    stability,
    similarity,
    pool,
    clock,
    log,
  }: ElevenLabsTextToSpeechOptions,
): TextToSpeech {
  const code = languageCode(language);
  const query = new URLSearchParams({
    model_id: model,
    output_format: `pcm_${output.sampleRate}`,
    auto_mode: "true", // whole clauses are sent: none waits for more text
    sync_alignment: "true",
    inactivity_timeout: "180", // seconds, the longest there is (default: 20)
    ...(code && /_v2_5$/.test(model) && { language_code: code }),
  });
  const url = `${baseUrl}/v1/text-to-speech/${encodeURIComponent(voice)}/multi-stream-input?${query}`;
  const voiceSettings = {
    ...(speed !== undefined && { speed }),
    ...(stability !== undefined && { stability }),
    ...(similarity !== undefined && { similarity_boost: similarity }),
  };
  const kind = { url, apiKey, voiceSettings };
  const newLine = () => createLine({ ...kind, clock, log });
  return voiceOn({ provider: "elevenlabs", model, output }, { newLine, speakOn, kind, pool, clock });
}

/** Speaks one reply. */
function speakOn(
  text: ReadableStream<string>,
  { line, clock, signal, onEnd }: SpeakOptions<ContextListener>,
) {
  const read = sampleReader();
  const words = spokenWords();
  let context: Context | undefined;
  let characters = 0;
  let audioMs = 0;
  let textEnded = false;
  let quiet: Disposable | undefined;

  const endContext = () => {
    quiet?.[Symbol.dispose]();
    context?.end();
  };
  /**
   * A context that is ended before its text is being spoken may drop it: https://github.com/pipecat-ai/pipecat/issues/4681.
   * So it is ended once the last of it has begun to sound.
   */
  const endWhenSounding = () => {
    quiet?.[Symbol.dispose]();
    if (!textEnded || audioMs === 0) return;
    if (words.reachedLast) endContext();
    else quiet = clock.after(quietMs, endContext);
  };
  return speak(text, signal, (reply) => {
    reply.signal.addEventListener("abort", endContext);
    const listener = {
      audio(bytes: Uint8Array, alignment: Parameters<typeof words.timed>[0] | undefined) {
        // The times count from this piece's own first sample.
        const timed = alignment ? words.timed(alignment, audioMs) : [];
        if (timed.length > 0) reply.push({ type: "words", words: timed });
        for (const frame of framesOf(read(bytes), output, frameMs)) {
          audioMs += durationMs(frame);
          reply.push({ type: "audio", frame });
        }
        endWhenSounding();
      },
      final() {
        if (audioMs === 0) {
          const message = "ElevenLabs ended the reply without a sound: the account's quota may be used up";
          return reply.fail(new StageError("tts", message));
        }
        if (!textEnded) {
          const message = "ElevenLabs ended the reply before its text was complete";
          return reply.fail(new StageError("tts", message, { retryable: true }));
        }
        reply.push({ type: "mark", characters });
        reply.spoken();
      },
      fail: reply.fail,
    };
    return {
      start: () => abortable(line.open(), reply.signal),
      async write(clause) {
        characters += clause.length;
        if (!sounds(clause)) return;
        await abortable(line.open(), reply.signal);
        context ??= line.context(listener);
        const whole = `${clause.trim().replace(/\s+/g, " ")} `;
        words.sent(whole);
        context.speak(whole);
      },
      close() {
        textEnded = true;
        if (context) endWhenSounding();
        else reply.spoken();
      },
      release() {
        onEnd?.(); // the line is gone then
        context?.release();
      },
    };
  }).events;
}
