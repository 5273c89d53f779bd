/** Voices by ElevenLabs: https://elevenlabs.io/docs/api-reference/multi-context-websocket */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { camelKeys, parseJson } from "../json.ts";
import type { Log } from "../log.ts";
import { languageCode } from "../text/language.ts";
import type { Alignment } from "./alignment.ts";
import type { ContextEvent, ContextMessage, ContextProgress, ContextProtocol } from "./context_protocol.ts";
import { contextVoice } from "./context_voice.ts";
import type { VoicePool } from "./pool.ts";
import type { TextToSpeech } from "./tts.ts";

/** Where the times do not show that the last of the text is being spoken, this long without audio does. */
const quietMs = 1_000;
/** A connection on which nothing is sent for 20 s is closed (code 1008), unless it asked for longer: twice within that. */
const keepAliveMs = 8_000;
const mostContexts = 5;

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
  const settings = { speed, stability, similarity_boost: similarity };
  const protocol: ContextProtocol = {
    provider: "ElevenLabs",
    url,
    headers: { "xi-api-key": apiKey },
    settings,
    begin: (id) => ({ text: " ", context_id: id, voice_settings: settings }),
    keepAlive: { afterMs: keepAliveMs, request: (id) => ({ text: "", context_id: id }) },
    mostContexts,
    speak: (id, text) => ({ text: `${text.trim()} `, context_id: id, flush: true }),
    end: (id) => ({ context_id: id, close_context: true }),
    read,
    endAfterMs,
    incomplete,
  };
  return contextVoice({ provider: "elevenlabs", model, output }, protocol, { pool, clock, log });
}

/**
 * A context that is ended before its text is being spoken may drop it: https://github.com/pipecat-ai/pipecat/issues/4681.
 * So it is ended once the last of it has begun to sound.
 */
function endAfterMs({ audioMs, reachedLast }: ContextProgress): number | undefined {
  if (audioMs === 0) return undefined;
  return reachedLast ? 0 : quietMs;
}

function incomplete({ audioMs, textEnded }: ContextProgress): StageError | undefined {
  if (audioMs === 0) {
    return new StageError(
      "tts",
      "ElevenLabs ended the reply without a sound: the account's quota may be used up",
    );
  }
  if (textEnded) return undefined;
  return new StageError("tts", "ElevenLabs ended the reply before its text was complete", {
    retryable: true,
  });
}

const alignmentSchema = z.object({
  chars: z.array(z.string()),
  charStartTimesMs: z.array(z.number()),
  charDurationsMs: z.array(z.number()).optional(),
  /** As the older endpoint spells it. */
  charsDurationsMs: z.array(z.number()).optional(),
}).transform((times): Alignment => ({
  ...times,
  charDurationsMs: times.charDurationsMs ?? times.charsDurationsMs ?? [],
}));

const messageSchema = z.preprocess(
  camelKeys,
  z.object({
    contextId: z.string().nullish(),
    audio: z.base64().nullish().transform((text) => text ? Uint8Array.fromBase64(text) : undefined),
    alignment: alignmentSchema.nullish(),
    normalizedAlignment: alignmentSchema.nullish(),
    isFinal: z.boolean().nullish(),
    error: z.string().nullish(),
    code: z.union([z.string(), z.number()]).nullish(),
    message: z.string().nullish(),
  }),
);

/** What the server says went wrong. */
function reported(error: string, code?: string | number | null, message?: string | null): StageError {
  const refused = /api_key|auth|permission/i.test(error);
  const retryable = !refused && !/quota|not_found|invalid|unsupported/i.test(error);
  const words = `ElevenLabs reports ${error}${code ? ` (${code})` : ""}${message ? `: ${message}` : ""}`;
  return new StageError("tts", refused ? `${words}; check ELEVENLABS_API_KEY` : words, {
    retryable,
    refused,
  });
}

function read(data: string): ContextMessage | undefined {
  const message = parseJson(data, messageSchema);
  if (!message) return undefined;
  const { contextId, audio, isFinal, error, code, message: words } = message;
  const alignment = message.alignment ?? message.normalizedAlignment;
  const events: ContextEvent[] = [];
  if (error) events.push({ type: "error", error: reported(error, code, words) });
  else {
    if (audio && alignment) events.push({ type: "alignment", alignment });
    if (audio) events.push({ type: "audio", bytes: audio });
    if (isFinal) events.push({ type: "final" });
  }
  return { context: contextId || undefined, events };
}
