/**
 * Models: strings such as `provider/model` or `provider/model:option`, the option being the language or the voice; or the
 * same with options.
 */
import type { Clock } from "./clock.ts";
import { ConfigError } from "./errors.ts";
import { demoLanguageModel } from "./llm/demo.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { openaiLanguageModel } from "./llm/openai.ts";
import type { Log } from "./log.ts";
import type { LanguageModelSpec, SpeechToTextSpec, TextToSpeechSpec } from "./model_specs.ts";
import { loadOpenAI } from "./openai.ts";
import { browserSpeechToText } from "./stt/browser.ts";
import { deepgramSpeechToText, loadDeepgram } from "./stt/deepgram.ts";
import { localSpeechToText } from "./stt/local.ts";
import { openaiSpeechToText } from "./stt/openai.ts";
import type { SpeechToText } from "./stt/stt.ts";
import { deepgramTextToSpeech } from "./tts/deepgram.ts";
import { elevenlabsTextToSpeech } from "./tts/elevenlabs.ts";
import { fliteTextToSpeech } from "./tts/flite.ts";
import { openaiTextToSpeech } from "./tts/openai.ts";
import type { TextToSpeech } from "./tts/tts.ts";

/** How to reach a provider. */
export interface ProviderKeys {
  readonly apiKey?: string;
  /** In place of the provider's own server. */
  readonly baseUrl?: string;
}

/** What models are made from. */
export interface ModelsOptions {
  readonly openai: ProviderKeys;
  readonly deepgram: ProviderKeys;
  readonly elevenlabs: ProviderKeys;
  readonly clock: Clock;
  readonly log: Log;
}

/** The key that a model needs is not set: others can be used all the same. */
export class MissingKeyError extends ConfigError {}

/**
 * Makes providers from model strings and models with options; throws a ConfigError for one it does not know, or an option
 * it does not take, and a MissingKeyError for a key that is not set. `language`: where the model names none.
 */
export interface Models {
  /** `endpointingMs`: silence after which a recognizer that can says that the turn is over. */
  stt(
    model: string | SpeechToTextSpec,
    options?: { readonly language?: string; readonly endpointingMs?: number },
  ): SpeechToText;
  llm(model: string | LanguageModelSpec): LanguageModel;
  tts(model: string | TextToSpeechSpec, options?: { readonly language?: string }): TextToSpeech;
}

/** A model, its string taken apart, with the provider's key (empty where none is needed). */
interface Choice extends Omit<TextToSpeechSpec & LanguageModelSpec, "model"> {
  readonly model: string;
  readonly option?: string | undefined;
  readonly endpointingMs?: number | undefined;
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

type Kind = "STT" | "LLM" | "TTS";
type Provider = KeyedProvider | "flite" | "demo" | "local" | "browser";
type KeyedProvider = keyof typeof keyedProviders;
interface Maker<T> {
  readonly make: (choice: Choice) => T;
  /** The options it takes, besides a language. */
  readonly takes?: readonly (keyof Choice)[];
}
type Table<T> = Readonly<Partial<Record<Provider, Maker<T>>>>;

/** Those that need a key, and how its variable begins. */
const keyedProviders = { openai: "OPENAI", deepgram: "DEEPGRAM", elevenlabs: "ELEVENLABS" } as const;

const spoken = (choice: Choice) => ({ ...choice, language: choice.option ?? choice.language });

const recognizers: Table<SpeechToText> = {
  deepgram: { make: (choice) => deepgramSpeechToText(spoken(choice)) },
  openai: { make: (choice) => openaiSpeechToText(spoken(choice)) },
  browser: { make: browserSpeechToText },
  local: { make: (choice) => localSpeechToText(spoken(choice)) },
};

const languageModels: Table<LanguageModel> = {
  openai: { make: openaiLanguageModel, takes: ["temperature", "maxTokens"] },
  demo: { make: demoLanguageModel },
};

const voices: Table<TextToSpeech> = {
  deepgram: { make: deepgramTextToSpeech },
  openai: {
    make: (choice) => openaiTextToSpeech({ ...choice, voice: choice.voice ?? choice.option }),
    takes: ["voice", "instructions"],
  },
  elevenlabs: {
    make: (choice) => elevenlabsTextToSpeech({ ...choice, voice: choice.voice ?? choice.option }),
    takes: ["voice", "speed", "stability", "similarity"],
  },
  flite: { make: ({ model }) => fliteTextToSpeech({ voice: model }) },
};

export function createModels(options: ModelsOptions): Models {
  const { clock, log } = options;

  function make<T>(
    kind: Kind,
    table: Table<T>,
    spec: string | SpeechToTextSpec | LanguageModelSpec | TextToSpeechSpec,
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
    const takes: readonly string[] = ["language", ...maker.takes ?? []];
    const unknown = Object.keys(given).find((key) => !takes.includes(key));
    if (unknown) {
      throw new ConfigError(
        `${kind} ${name} has no option ${JSON.stringify(unknown)}; expected one of ${takes.join(", ")}`,
      );
    }
    const { apiKey = "", baseUrl } = isKeyed(provider) ? options[provider] : {};
    if (isKeyed(provider) && !apiKey) {
      throw new MissingKeyError(`${keyedProviders[provider]}_API_KEY is not set; ${kind} ${name} needs it`);
    }
    return maker.make({ ...defaults, ...given, model, option, apiKey, baseUrl, clock, log });
  }

  return {
    stt: (spec, defaults) => make("STT", recognizers, spec, defaults),
    llm: (spec) => make("LLM", languageModels, spec),
    tts: (spec, defaults) => make("TTS", voices, spec, defaults),
  };
}

const isKeyed = (provider: string): provider is KeyedProvider => Object.hasOwn(keyedProviders, provider);

/** A language model's name is all that follows the provider: it may hold slashes and colons of its own. */
function parse(kind: Kind, name: string): { provider: string; model: string; option: string | undefined } {
  const pattern = kind === "LLM" ? /^([a-z0-9-]+)\/(\S+)$/ : /^([a-z0-9-]+)\/([^\s:]+)(?::(\S+))?$/;
  const [, provider, model, option] = pattern.exec(name) ?? [];
  if (provider && model) return { provider, model, option };
  const example =
    { STT: "deepgram/nova-3:en", LLM: "openai/gpt-4o-mini", TTS: "deepgram/aura-2-thalia-en" }[kind];
  throw new ConfigError(
    `${kind} is ${JSON.stringify(name)}; expected a provider and a model, such as ${example}`,
  );
}

/** The libraries of providers that are large: loaded with the first call, unless they were before. */
const libraries: Readonly<Record<string, () => Promise<unknown>>> = {
  openai: loadOpenAI,
  deepgram: loadDeepgram,
};

/** Loads what the models named need, so that the first call does not wait for it. */
export async function preload(names: readonly string[]): Promise<void> {
  const providers = new Set(names.map((name) => name.split("/")[0] ?? ""));
  await Promise.all([...providers].map((provider) => libraries[provider]?.()));
}
