/** Speech recognition by AssemblyAI, streamed: https://www.assemblyai.com/docs/streaming/message-sequence */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { socketError } from "../socket.ts";
import type { SpeechToText } from "./stt.ts";
import { transcribeTurns, turnFormat } from "./turn_socket.ts";
import type { TurnUpdate } from "./turns.ts";

/** Silences that end a turn, in milliseconds: when it is sure of the end, and in any case. */
const silenceMs = { least: 160, most: 1_280 };
/** The same while something is dictated. */
const dictatedSilenceMs = { least: 1_000, most: 3_000 };
/** Messages of less than 50 ms of audio are refused, as those of more than 1 s are. */
const leastMs = 50;

export interface AssemblyAISpeechToTextOptions {
  readonly apiKey: string;
  /** Another address of theirs (default: the one in the USA); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** `universal-streaming`, which is the English or the multilingual one by the language; or any of their names. */
  readonly model?: string | undefined;
  /** BCP 47, or `multi`; English when it is left out. */
  readonly language?: string | undefined;
  /** Silence that ends a turn of whose end it is sure, in milliseconds (default 160: whether it is over is decided elsewhere). */
  readonly endpointingMs?: number | undefined;
  /** How sure it is to be of that, 0–1 (default 0.4). */
  readonly endOfTurnThreshold?: number | undefined;
  /** Milliseconds of silence that end a turn however sure it is (default 1,280). */
  readonly endOfTurnTimeoutMs?: number | undefined;
  readonly clock: Clock;
}

/**
 * Recognizes speech with AssemblyAI's streaming models. The words are not formatted, which would take longer: no commas, no
 * capitals, unless the model brings them of itself.
 */
export function assemblyaiSpeechToText(
  {
    apiKey,
    baseUrl = "https://streaming.assemblyai.com",
    model = "universal-streaming",
    language,
    clock,
    ...given
  }: AssemblyAISpeechToTextOptions,
): SpeechToText {
  const { endpointingMs = silenceMs.least, endOfTurnThreshold = 0.4 } = given;
  const { endOfTurnTimeoutMs = Math.max(silenceMs.most, endpointingMs) } = given;
  const isEnglish = !language || /^en\b/i.test(language);
  const speechModel = model === "universal-streaming"
    ? `universal-streaming-${isEnglish ? "english" : "multilingual"}`
    : model;
  const query = {
    speech_model: speechModel,
    encoding: "pcm_s16le",
    sample_rate: turnFormat.sampleRate,
    format_turns: false,
    end_of_turn_confidence_threshold: endOfTurnThreshold,
    min_turn_silence: endpointingMs,
    max_turn_silence: endOfTurnTimeoutMs,
    ...(!isEnglish && { language_detection: true }),
  };
  const url = new URL(`${baseUrl.replace(/^http/i, "ws")}/v3/ws`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));

  const transcribe = transcribeTurns({
    provider: "AssemblyAI",
    url: url.href,
    headers: { Authorization: apiKey },
    leastMs,
    read,
    finalize: { type: "ForceEndpoint" },
    close: { type: "Terminate" },
    closes: 1000,
    configure: (dictated) => ({
      type: "UpdateConfiguration",
      min_turn_silence: dictated ? Math.max(dictatedSilenceMs.least, endpointingMs) : endpointingMs,
      max_turn_silence: dictated ? Math.max(dictatedSilenceMs.most, endOfTurnTimeoutMs) : endOfTurnTimeoutMs,
    }),
  }, clock);
  return { provider: "assemblyai", model, input: turnFormat, transcribe };
}

const messageSchema = z.object({ type: z.string() });

/** Times are milliseconds from the first audio of the connection. `transcript` has the words that will not change. */
const turnSchema = z.object({
  turn_order: z.number(),
  end_of_turn: z.boolean(),
  transcript: z.string(),
  words: z.array(z.object({
    text: z.string(),
    confidence: z.number(),
    start: z.number(),
    end: z.number(),
  })),
  language_code: z.string().nullish(),
});

/** Sent before the connection is closed with that code: https://www.assemblyai.com/docs/streaming/common-session-errors-and-closures */
const errorSchema = z.object({ error_code: z.number(), error: z.string() });

function read(message: unknown): TurnUpdate | "ready" | undefined {
  switch (messageSchema.parse(message).type) {
    case "Begin":
      return "ready";
    case "Turn":
      return updateFrom(turnSchema.parse(message));
    case "Error":
      throw failure(errorSchema.parse(message));
  }
}

function updateFrom(
  { turn_order, end_of_turn, transcript, words, language_code }: z.infer<typeof turnSchema>,
) {
  return {
    turn: turn_order,
    text: end_of_turn ? transcript : words.map(({ text }) => text).join(" "),
    words: words.map(({ text, confidence, start, end }) => ({
      text,
      confidence,
      startMs: start,
      endMs: end,
    })),
    ...(end_of_turn && { change: "over" as const }),
    language: language_code ?? undefined,
  };
}

/** What is wrong with the account is told once the connection is open: as a refusal of it all the same. */
function failure({ error_code: code, error }: z.infer<typeof errorSchema>): StageError {
  const refused = (status: number) => socketError("stt", "AssemblyAI", { type: "refused", status });
  if (code === 3009 || /concurrent/i.test(error)) return refused(429);
  if (code === 1008) return refused(/balance|fund|credit/i.test(error) ? 402 : 401);
  const isOurs = code === 3006 || code === 3007;
  return new StageError("stt", `AssemblyAI failed: ${error} (${code})`, { retryable: !isOurs });
}
