/**
 * Speech recognition by Deepgram's Flux, which tells turns: https://developers.deepgram.com/docs/flux/quickstart
 *
 * Final words that are asked for are those of the first message about all that was sent by then. ForceEndTurn would bring
 * no others (https://developers.deepgram.com/docs/flux/force-end-turn), and is not enabled everywhere.
 */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { ConfigError, StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SpeechToText } from "./stt.ts";
import { transcribeTurns, turnFormat } from "./turn_socket.ts";
import type { TurnUpdate } from "./turns.ts";

/** Deepgram's own defaults; the eager threshold has none, which would mean that there are no eager ends. */
const defaults = { endOfTurnThreshold: 0.7, eagerEndOfTurnThreshold: 0.5, endOfTurnTimeoutMs: 5_000 };
/** While something is dictated: surer than that Deepgram recommends for nothing. */
const dictatedThreshold = 0.9;
/** Deepgram works on pieces of 80 ms, and wants them so. */
const leastMs = 80;

export interface DeepgramFluxOptions {
  readonly apiKey: string;
  /** A Deepgram of your own (default: Deepgram's); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** `flux-general-en`, or `flux-general-multi` for ten languages. */
  readonly model?: string | undefined;
  /** BCP 47: what `flux-general-multi` is to expect (default, and `multi`: anything). */
  readonly language?: string | undefined;
  /** How sure it is to be that a turn is over before it says so, 0.5–1 (default 0.7). */
  readonly endOfTurnThreshold?: number | undefined;
  /** How sure before it says that it is likely to be, 0.3–0.9 (default 0.5), and no surer than for the end itself. */
  readonly eagerEndOfTurnThreshold?: number | undefined;
  /** Milliseconds of silence after which a turn is over however sure it is, 500–60,000 (default 5,000). */
  readonly endOfTurnTimeoutMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Recognizes speech with Flux; throws a ConfigError for thresholds that it does not take. */
export function deepgramFluxSpeechToText(
  { apiKey, baseUrl = "https://api.deepgram.com", model = "flux-general-en", language, clock, log, ...given }:
    DeepgramFluxOptions,
): SpeechToText {
  const { endOfTurnThreshold = defaults.endOfTurnThreshold } = given;
  const { endOfTurnTimeoutMs = defaults.endOfTurnTimeoutMs } = given;
  const { eagerEndOfTurnThreshold = Math.min(defaults.eagerEndOfTurnThreshold, endOfTurnThreshold) } = given;
  const refuse = (option: keyof typeof defaults, value: number, expected: string) => {
    throw new ConfigError(`STT deepgram/${model}: ${option} is ${value}; expected ${expected}`);
  };
  if (endOfTurnThreshold < 0.5 || endOfTurnThreshold > 1) {
    refuse("endOfTurnThreshold", endOfTurnThreshold, "a number from 0.5 to 1");
  }
  if (eagerEndOfTurnThreshold > endOfTurnThreshold) {
    const most = `no more than endOfTurnThreshold, ${endOfTurnThreshold}`;
    refuse("eagerEndOfTurnThreshold", eagerEndOfTurnThreshold, most);
  }
  if (endOfTurnTimeoutMs < 500) {
    refuse("endOfTurnTimeoutMs", endOfTurnTimeoutMs, "a number from 500 to 60000");
  }
  const thresholds = {
    eot_threshold: endOfTurnThreshold,
    eager_eot_threshold: eagerEndOfTurnThreshold,
    eot_timeout_ms: endOfTurnTimeoutMs,
  };
  const url = new URL(`${baseUrl.replace(/^http/i, "ws")}/v2/listen`);
  const query = { model, encoding: "linear16", sample_rate: turnFormat.sampleRate, ...thresholds };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  if (model.endsWith("-multi") && language && language !== "multi") {
    url.searchParams.set("language_hint", language.replace(/-.*/, ""));
  }

  const read = (message: unknown): TurnUpdate | "ready" | undefined => {
    const said = messageSchema.parse(message);
    switch (said.type) {
      case "Connected":
        return "ready";
      case "TurnInfo":
        return updateFrom(turnInfoSchema.parse(message));
      case "Error": {
        const { code, description } = errorSchema.parse(message);
        throw new StageError("stt", `Deepgram failed: ${description} (${code})`, { retryable: true });
      }
      case "ConfigureFailure":
        log.warn({ model }, "Deepgram did not take other thresholds");
    }
  };
  const transcribe = transcribeTurns({
    provider: "Deepgram",
    url: url.href,
    headers: { Authorization: `Token ${apiKey}` },
    leastMs,
    read,
    close: { type: "CloseStream" },
    closes: 1005, // https://developers.deepgram.com/docs/flux/close-stream; at any other time that is a failure
    configure: (dictated) => ({
      type: "Configure",
      thresholds: {
        ...thresholds,
        ...(dictated && { eot_threshold: Math.max(dictatedThreshold, endOfTurnThreshold) }),
      },
    }),
  }, clock);
  return { provider: "deepgram", model, input: turnFormat, transcribe };
}

const messageSchema = z.object({ type: z.string() });

const errorSchema = z.object({ code: z.string(), description: z.string() });

/** Times are seconds from the first audio of the connection; `transcript` is the whole turn so far. */
const turnInfoSchema = z.object({
  event: z.string(),
  turn_index: z.number(),
  audio_window_end: z.number(),
  transcript: z.string(),
  words: z.array(z.object({
    word: z.string(),
    confidence: z.number(),
    start: z.number().optional(),
    end: z.number().optional(),
  })),
  /** What has ended the turn: `model`, `timeout` or another. */
  trigger: z.string().optional(),
  languages: z.array(z.string()).optional(),
});

const changes: Readonly<Record<string, TurnUpdate["change"]>> = {
  EagerEndOfTurn: "eager",
  TurnResumed: "resumed",
  EndOfTurn: "over",
};

function updateFrom(info: z.infer<typeof turnInfoSchema>): TurnUpdate {
  const { event, turn_index, audio_window_end, transcript, words, trigger = "model", languages } = info;
  return {
    turn: turn_index,
    text: transcript.trim(),
    words: words.map(({ word, confidence, start, end }) => ({
      text: word,
      confidence,
      ...(start !== undefined && { startMs: Math.round(start * 1000) }),
      ...(end !== undefined && { endMs: Math.round(end * 1000) }),
    })),
    heardMs: Math.round(audio_window_end * 1000),
    change: changes[event],
    ...(trigger === "model" && { judged: true }),
    language: languages?.[0],
  };
}
