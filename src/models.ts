/**
 * Models: strings such as `provider/model` or `provider/model:option`, the option being the language or the voice; or the
 * same with options.
 */
import type { Clock } from "./clock.ts";
import { ConfigError } from "./errors.ts";
import { createHealth, type Health } from "./health.ts";
import { accountOf, keyedProviders, type Keys, MissingKeyError } from "./keys.ts";
import { loadAnthropic } from "./llm/anthropic.ts";
import { fallbackLanguageModel } from "./llm/fallback.ts";
import { loadGoogle } from "./llm/google.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { raceLanguageModels } from "./llm/race.ts";
import type { Log } from "./log.ts";
import { languageModels, type Makers, recognizers, speechModels, voices } from "./model_makers.ts";
import { type Kind, listed, parse, providersIn, racing } from "./model_names.ts";
import type {
  Choice,
  LanguageModelRace,
  LanguageModelSpec,
  OneChoice,
  SpeechToSpeechSpec,
  SpeechToTextSpec,
  TextToSpeechSpec,
} from "./model_specs.ts";
import { loadOpenAI } from "./openai.ts";
import type { SpeechStages, SpeechToSpeech } from "./realtime/realtime.ts";
import { loadDeepgram } from "./stt/deepgram.ts";
import { fallbackSpeechToText } from "./stt/fallback.ts";
import type { SpeechToText } from "./stt/stt.ts";
import { fallbackTextToSpeech } from "./tts/fallback.ts";
import type { VoicePool } from "./tts/pool.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import { createWarmth } from "./warm.ts";

/** What models are made from. */
export interface ModelsOptions extends Partial<Keys> {
  /** Where voices' connections are kept from one session to the next (default: nowhere). */
  readonly voicePool?: VoicePool | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Makes providers from model strings (several, parted by commas) and models with options; throws a ConfigError for one it
 * does not know, or an option it does not take, and a MissingKeyError for a key that is not set. Of several, the next stands
 * in for those before it, in all calls for as long as they are not well. `language`: where the model names none.
 */
export interface Models {
  /** `endpointingMs`: silence after which a recognizer that can says that the turn is over. */
  stt(
    model: Choice<SpeechToTextSpec, SpeechToText>,
    options?: { readonly language?: string; readonly endpointingMs?: number },
  ): SpeechToText;
  llm(model: Choice<LanguageModelSpec | LanguageModelRace, LanguageModel>): LanguageModel;
  /** A voice that fails in a reply is asked once more for the rest of it. */
  tts(
    model: Choice<TextToSpeechSpec, TextToSpeech>,
    options?: { readonly language?: string },
  ): TextToSpeech;
  /** For one session. A voice that fails before its first sound is asked once more. */
  speech(
    model: string | SpeechToSpeechSpec | SpeechToSpeech,
    options?: { readonly language?: string },
  ): SpeechStages;
}

export function createModels(options: ModelsOptions): Models {
  const { voicePool: pool, clock, log } = options;
  const keepWarm = createWarmth({ clock, log });

  function make<T extends object>(
    kind: Kind,
    makers: Makers<T>,
    spec: string | SpeechToTextSpec | LanguageModelSpec | TextToSpeechSpec | SpeechToSpeechSpec,
    defaults: { readonly language?: string; readonly endpointingMs?: number } = {},
  ): T {
    const { model: name, ...given } = typeof spec === "string" ? { model: spec } : spec;
    const { provider, model, option } = parse(kind, name);
    const known = Object.keys(makers);
    if (!known.includes(provider)) {
      throw new ConfigError(
        `${kind} is ${JSON.stringify(name)}: there is no provider ${JSON.stringify(provider)} for it; ` +
          `expected one of ${known.join(", ")}`,
      );
    }
    const maker = makers[provider as keyof Makers<T>]!;
    const takes: readonly string[] = ["language", ...maker.takes?.(model) ?? []];
    const unknown = Object.keys(given).find((key) => !takes.includes(key));
    if (unknown) {
      throw new ConfigError(
        `${kind} ${name} has no option ${JSON.stringify(unknown)}; expected one of ${takes.join(", ")}`,
      );
    }
    for (const [option, [min, max]] of Object.entries(maker.ranges ?? {})) {
      const value = (given as Record<string, unknown>)[option];
      if (typeof value !== "number" || (value >= min && value <= max)) continue;
      throw new ConfigError(
        `${kind} ${name}: ${option} is ${value}; expected a number from ${min} to ${max}`,
      );
    }
    const account = accountOf(provider);
    const { apiKey = "", baseUrl } = (account && options[account]) ?? {};
    if (account && !apiKey) {
      throw new MissingKeyError(`${keyedProviders[account]}_API_KEY is not set; ${kind} ${name} needs it`);
    }
    const chosen = { ...defaults, ...given, model, option, apiKey, baseUrl, pool, clock, log };
    const made = maker.make(chosen);
    const server = maker.server?.(chosen);
    if (!server) return made;
    const connect = ({ signal }: { readonly signal: AbortSignal }) => {
      keepWarm(server, signal);
      return made;
    };
    return { ...made, connect };
  }

  /** How those are doing that stand in for each other, by their names. */
  const healths = new Map<string, Health>();
  const healthOf = (kind: Kind | "race", models: readonly Named[], firstResultMs?: number): Health => {
    const name = `${kind} ${models.map(({ provider, model }) => `${provider}/${model}`)} ${firstResultMs}`;
    const health = healths.get(name) ?? createHealth({ members: models.length, clock, firstResultMs });
    healths.set(name, health);
    return health;
  };

  const languageModel = (
    spec: OneChoice<LanguageModelSpec | LanguageModelRace, LanguageModel>,
  ): LanguageModel => {
    if (isObject(spec, "generate")) return spec;
    const given = racing(spec);
    if (typeof given === "string" || !("race" in given)) return make("LLM", languageModels, given);
    const { race, afterMs } = given;
    const racers = race.map(languageModel);
    return raceLanguageModels(atLeastOne(racers), {
      clock,
      afterMs,
      health: healthOf("race", racers, afterMs),
    });
  };

  return {
    stt(choice, defaults) {
      const models = listed(choice).map((spec) =>
        isObject(spec, "transcribe") ? spec : make("STT", recognizers, spec, defaults)
      );
      return isSingle(models)
        ? models[0]
        : fallbackSpeechToText(atLeastOne(models), { clock, health: healthOf("STT", models) });
    },
    llm(choice) {
      const models = listed(choice).map(languageModel);
      return isSingle(models)
        ? models[0]
        : fallbackLanguageModel(atLeastOne(models), { clock, health: healthOf("LLM", models) });
    },
    tts(choice, defaults) {
      const models = listed(choice).map((spec) =>
        isObject(spec, "synthesize") ? spec : make("TTS", voices, spec, defaults)
      );
      if (isSingle(models)) {
        const [voice] = models;
        return fallbackTextToSpeech([voice, voice], { clock, firstResultMs: lonelyVoiceMs });
      }
      return fallbackTextToSpeech(atLeastOne(models), { clock, health: healthOf("TTS", models) });
    },
    speech: (spec, defaults) =>
      (isObject(spec, "stages") ? spec : make("model", speechModels, spec, defaults)).stages(),
  };
}

/** A voice that nobody stands in for may take this long to begin; milliseconds. */
const lonelyVoiceMs = 8_000;

interface Named {
  readonly provider: string;
  readonly model: string;
}

const isSingle = <T>(models: readonly T[]): models is readonly [T] => models.length === 1;
const isObject = <T extends object, M extends PropertyKey>(
  spec: string | T,
  method: M,
): spec is Extract<T, Record<M, unknown>> => typeof spec === "object" && method in spec;

function atLeastOne<T>(models: readonly T[]): readonly [T, ...T[]] {
  const [first, ...others] = models;
  if (!first) throw new ConfigError("a list of models is empty; expected a model at least");
  return [first, ...others];
}

/** The libraries of providers that are large: loaded with the first call, unless they were before. */
const libraries: Readonly<Record<string, () => Promise<unknown>>> = {
  openai: loadOpenAI,
  "openai-responses": loadOpenAI,
  compatible: loadOpenAI,
  anthropic: loadAnthropic,
  google: loadGoogle,
  deepgram: loadDeepgram,
};

/** Loads what the models named need, so that the first call does not wait for it. */
export async function preload(names: readonly string[]): Promise<void> {
  const providers = new Set(names.flatMap(providersIn));
  await Promise.all([...providers].map((provider) => libraries[provider]?.()));
}
