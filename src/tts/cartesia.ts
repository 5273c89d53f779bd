/** Voices by Cartesia: https://docs.cartesia.ai/api-reference/tts/websocket */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { parseJson } from "../json.ts";
import type { Log } from "../log.ts";
import { languageCode } from "../text/language.ts";
import type { ContextEvent, ContextMessage, ContextProgress, ContextProtocol } from "./context_protocol.ts";
import { contextVoice } from "./context_voice.ts";
import type { VoicePool } from "./pool.ts";
import type { TextToSpeech, WordTime } from "./tts.ts";

/** The version of the protocol: https://docs.cartesia.ai/2026-03-01/api-reference/tts/websocket */
const version = "2026-03-01";
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
  const settings = {
    model_id: model,
    voice: { mode: "id", id: voice },
    output_format: { container: "raw", encoding: "pcm_s16le", sample_rate: output.sampleRate },
    ...(code && { language: code }),
    ...(Object.keys(config).length > 0 && { generation_config: config }),
    add_timestamps: true,
    use_normalized_timestamps: false, // the words as they were sent
    max_buffer_delay_ms: 0, // whole clauses are sent: none waits for more text
  };
  const protocol: ContextProtocol = {
    provider: "Cartesia",
    url: `${baseUrl}/tts/websocket`,
    headers: { "X-API-Key": apiKey, "Cartesia-Version": version },
    settings,
    speak: (id, text) => ({ ...settings, context_id: id, transcript: text, continue: true }),
    end: (id) => ({ ...settings, context_id: id, transcript: "", continue: false }),
    cancel: (id) => ({ context_id: id, cancel: true }),
    read,
    isStale: ({ owed, quietMs }) => !owed && quietMs >= restMs,
    endAfterMs: () => 0,
    incomplete,
  };
  return contextVoice({ provider: "cartesia", model, output }, protocol, { pool, clock, log });
}

/** Unless it was told to end, a context ends by expiring. */
function incomplete({ owed, ended, quietMs }: ContextProgress): StageError | undefined {
  if (!owed && (ended || quietMs >= restMs)) return undefined;
  return new StageError("tts", "Cartesia ended the reply before its text was spoken", { retryable: true });
}

const messageSchema = z.object({
  type: z.string(),
  context_id: z.string().nullish(),
  data: z.base64().optional().transform((text) => text ? Uint8Array.fromBase64(text) : undefined),
  word_timestamps: z.object({
    words: z.array(z.string()),
    start: z.array(z.number()),
    end: z.array(z.number()),
  }).nullish().transform((times) =>
    times?.words.map((text, i): WordTime => {
      const start = times.start[i] ?? 0; // seconds, as `end`
      return { text, startMs: start * 1_000, endMs: (times.end[i] ?? start) * 1_000 };
    })
  ),
  status_code: z.number().nullish(),
  title: z.string().nullish(),
  message: z.string().nullish(),
});
type Message = z.infer<typeof messageSchema>;

/** What the server says went wrong. */
function reported({ status_code: status, title, message }: Message): StageError {
  const refused = status === 401 || status === 403;
  const retryable = !status || status === 429 || status >= 500;
  const words = `Cartesia reports ${[title, message].filter(Boolean).join(": ") || "an error"}` +
    (status ? ` (${status})` : "");
  return new StageError("tts", refused ? `${words}; check CARTESIA_API_KEY` : words, { retryable, refused });
}

function read(data: string): ContextMessage | undefined {
  const message = parseJson(data, messageSchema);
  return message && { context: message.context_id || undefined, events: eventsOf(message) };
}

function eventsOf(message: Message): readonly ContextEvent[] {
  const { type, data: bytes, word_timestamps: words } = message;
  switch (type) {
    case "chunk":
      return bytes ? [{ type: "audio", bytes }] : [];
    case "timestamps":
      return words ? [{ type: "words", words }] : [];
    case "done":
      return [{ type: "final" }];
    case "error":
      return [{ type: "error", error: reported(message), final: true }];
    default:
      return [];
  }
}
