/**
 * Models: strings such as `provider/model` or `provider/model:option`, the option being the language or the voice; or the
 * same with options.
 */
import type { Clock } from "./clock.ts";
import { ConfigError } from "./errors.ts";
import { anthropicLanguageModel, loadAnthropic } from "./llm/anthropic.ts";
import { demoLanguageModel } from "./llm/demo.ts";
import { googleLanguageModel, loadGoogle } from "./llm/google.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { openaiLanguageModel } from "./llm/openai.ts";
import { openaiResponsesModel } from "./llm/openai_responses.ts";
import type { Log } from "./log.ts";
import { createHealth, type Health } from "./health.ts";
import { accountOf, type KeyedProvider, keyedProviders, type Keys } from "./keys.ts";
import { fallbackLanguageModel } from "./llm/fallback.ts";
import { raceLanguageModels } from "./llm/race.ts";
import type {
  Choice as ModelChoice,
  LanguageModelRace,
  LanguageModelSpec,
  OneChoice,
  SpeechToSpeechSpec,
  SpeechToTextSpec,
  TextToSpeechSpec,
} from "./model_specs.ts";
import { type Kind, listed, parse, providersIn, racing } from "./model_names.ts";
import { loadOpenAI } from "./openai.ts";
import { assemblyaiSpeechToText } from "./stt/assemblyai.ts";
import { browserSpeechToText } from "./stt/browser.ts";
import { deepgramSpeechToText, loadDeepgram } from "./stt/deepgram.ts";
import { deepgramFluxSpeechToText } from "./stt/deepgram_flux.ts";
import { elevenlabsSpeechToText } from "./stt/elevenlabs.ts";
import { fallbackSpeechToText } from "./stt/fallback.ts";
import { localSpeechToText } from "./stt/local.ts";
import { openaiSpeechToText } from "./stt/openai.ts";
import { isRealtimeOnly, openaiRealtimeSpeechToText } from "./stt/openai_realtime.ts";
import type { SpeechToText } from "./stt/stt.ts";
import { cartesiaTextToSpeech } from "./tts/cartesia.ts";
import { deepgramTextToSpeech } from "./tts/deepgram.ts";
import { elevenlabsTextToSpeech } from "./tts/elevenlabs.ts";
import { fallbackTextToSpeech } from "./tts/fallback.ts";
import { fliteTextToSpeech } from "./tts/flite.ts";
import { openaiRealtime } from "./realtime/openai.ts";
import type { SpeechStages, SpeechToSpeech } from "./realtime/realtime.ts";
import { openaiTextToSpeech } from "./tts/openai.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import { createWarmth } from "./warm.ts";

/** What models are made from. */
export interface ModelsOptions extends Partial<Keys> {
  readonly clock: Clock;
  readonly log: Log;
}

/** The key that a model needs is not set: others can be used all the same. */
export class MissingKeyError extends ConfigError {}

/**
 * Makes providers from model strings (several, parted by commas) and models with options; throws a ConfigError for one it
 * does not know, or an option it does not take, and a MissingKeyError for a key that is not set. Of several, the next stands
 * in for those before it, in all calls for as long as they are not well. `language`: where the model names none.
 */
export interface Models {
  /** `endpointingMs`: silence after which a recognizer that can says that the turn is over. */
  stt(
    model: ModelChoice<SpeechToTextSpec, SpeechToText>,
    options?: { readonly language?: string; readonly endpointingMs?: number },
  ): SpeechToText;
  llm(model: ModelChoice<LanguageModelSpec | LanguageModelRace, LanguageModel>): LanguageModel;
  /** A voice that fails in a reply is asked once more for the rest of it. */
  tts(
    model: ModelChoice<TextToSpeechSpec, TextToSpeech>,
    options?: { readonly language?: string },
  ): TextToSpeech;
  /** For one session. A voice that fails before its first sound is asked once more. */
  speech(
    model: string | SpeechToSpeechSpec | SpeechToSpeech,
    options?: { readonly language?: string },
  ): SpeechStages;
}

/** A model, its string taken apart, with the provider's key (empty where none is needed). */
interface Choice
  extends Omit<SpeechToTextSpec & TextToSpeechSpec & LanguageModelSpec & SpeechToSpeechSpec, "model"> {
  readonly model: string;
  readonly option?: string | undefined;
  readonly endpointingMs?: number | undefined;
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

type Provider =
  | KeyedProvider
  | "openai-responses"
  | "openai-realtime"
  | "flite"
  | "demo"
  | "local"
  | "browser";
interface Maker<T> {
  readonly make: (choice: Choice) => T;
  /** The server that a model of it makes HTTP requests of. */
  readonly server?: (choice: Choice) => string | undefined;
  /** The options that a model of it takes, besides a language. */
  readonly takes?: (model: string) => readonly (keyof Choice)[];
  /** What is narrower than an agent's definition may have it. */
  readonly ranges?: Partial<Record<keyof Choice, readonly [min: number, max: number]>>;
}
type Table<T> = Readonly<Partial<Record<Provider, Maker<T>>>>;

const openaiServer = ({ baseUrl = "https://api.openai.com" }: Choice) => baseUrl;

const spoken = (choice: Choice) => ({ ...choice, language: choice.option ?? choice.language });

const isFlux = (model: string): boolean => model.startsWith("flux-");

const isRealtime = ({ model, realtime }: Choice): boolean => realtime ?? isRealtimeOnly(model);

const recognizers: Table<SpeechToText> = {
  deepgram: {
    make: (choice) =>
      (isFlux(choice.model) ? deepgramFluxSpeechToText : deepgramSpeechToText)(spoken(choice)),
    takes: (model) =>
      isFlux(model) ? ["endOfTurnThreshold", "eagerEndOfTurnThreshold", "endOfTurnTimeoutMs"] : [],
  },
  assemblyai: {
    make: (choice) => assemblyaiSpeechToText(spoken(choice)),
    takes: () => ["endOfTurnThreshold", "endOfTurnTimeoutMs"],
  },
  openai: {
    make: (choice) => (isRealtime(choice) ? openaiRealtimeSpeechToText : openaiSpeechToText)(spoken(choice)),
    server: (choice) => isRealtime(choice) ? undefined : openaiServer(choice),
    takes: (model) => isRealtimeOnly(model) ? [] : ["realtime"],
  },
  elevenlabs: { make: (choice) => elevenlabsSpeechToText(spoken(choice)) },
  browser: { make: browserSpeechToText },
  local: { make: (choice) => localSpeechToText(spoken(choice)) },
};

const ofLanguageModels = () => ["temperature", "maxTokens"] as const;

const languageModels: Table<LanguageModel> = {
  openai: { make: openaiLanguageModel, server: openaiServer, takes: ofLanguageModels },
  "openai-responses": { make: openaiResponsesModel, server: openaiServer, takes: ofLanguageModels },
  anthropic: {
    make: anthropicLanguageModel,
    server: ({ baseUrl = "https://api.anthropic.com" }) => baseUrl,
    takes: ofLanguageModels,
  },
  google: {
    make: googleLanguageModel,
    server: ({ baseUrl = "https://generativelanguage.googleapis.com" }) => baseUrl,
    takes: ofLanguageModels,
  },
  compatible: {
    make(choice) {
      if (!choice.baseUrl) {
        throw new MissingKeyError(`COMPATIBLE_BASE_URL is not set; LLM compatible/${choice.model} needs it`);
      }
      return openaiLanguageModel({ ...choice, provider: "compatible", keySource: "COMPATIBLE_API_KEY" });
    },
    server: ({ baseUrl }) => baseUrl,
    takes: ofLanguageModels,
  },
  demo: { make: demoLanguageModel },
};

const voices: Table<TextToSpeech> = {
  deepgram: { make: deepgramTextToSpeech },
  openai: {
    make: (choice) => openaiTextToSpeech({ ...choice, voice: choice.voice ?? choice.option }),
    server: openaiServer,
    takes: () => ["voice", "instructions"],
  },
  elevenlabs: {
    make: (choice) => elevenlabsTextToSpeech({ ...choice, voice: choice.voice ?? choice.option }),
    takes: () => ["voice", "speed", "stability", "similarity"],
    ranges: { speed: [0.7, 1.2] },
  },
  cartesia: {
    make: (choice) => cartesiaTextToSpeech({ ...choice, voice: choice.voice ?? choice.option }),
    takes: () => ["voice", "speed", "volume", "emotion"],
  },
  flite: { make: ({ model }) => fliteTextToSpeech({ voice: model }) },
};

const speechModels: Table<SpeechToSpeech> = {
  "openai-realtime": {
    make: (choice) => openaiRealtime({ ...choice, voice: choice.voice ?? choice.option }),
    takes: () => ["voice", "speed", "transcription"],
  },
};

export function createModels(options: ModelsOptions): Models {
  const { clock, log } = options;
  const keepWarm = createWarmth({ clock, log });

  function make<T extends object>(
    kind: Kind,
    table: Table<T>,
    spec: string | SpeechToTextSpec | LanguageModelSpec | TextToSpeechSpec | SpeechToSpeechSpec,
    defaults: { readonly language?: string; readonly endpointingMs?: number } = {},
  ): T {
    const { model: name, ...given } = typeof spec === "string" ? { model: spec } : spec;
    const { provider, model, option } = parse(kind, name);
    const known = Object.keys(table);
    if (!known.includes(provider)) {
      throw new ConfigError(
        `${kind} is ${JSON.stringify(name)}: there is no provider ${JSON.stringify(provider)} for it; ` +
          `expected one of ${known.join(", ")}`,
      );
    }
    const maker = table[provider as Provider]!;
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
    const chosen = { ...defaults, ...given, model, option, apiKey, baseUrl, clock, log };
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
