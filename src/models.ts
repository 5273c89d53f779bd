/** Model strings: `provider/model`, or `provider/model:option`; the option is the language, or the voice. */
import type { Clock } from "./clock.ts";
import { ConfigError } from "./errors.ts";
import { demoLanguageModel } from "./llm/demo.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { openaiLanguageModel } from "./llm/openai.ts";
import type { Log } from "./log.ts";
import { loadOpenAI } from "./openai.ts";
import { browserSpeechToText } from "./stt/browser.ts";
import { deepgramSpeechToText, loadDeepgram } from "./stt/deepgram.ts";
import { localSpeechToText } from "./stt/local.ts";
import { openaiSpeechToText } from "./stt/openai.ts";
import type { SpeechToText } from "./stt/stt.ts";
import { deepgramTextToSpeech } from "./tts/deepgram.ts";
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

/** Makes providers from model strings; throws a ConfigError for a string it does not know, or a key that is not set. */
export interface Models {
  stt(name: string, options?: { readonly language?: string }): SpeechToText;
  llm(name: string): LanguageModel;
  tts(name: string, options?: { readonly language?: string }): TextToSpeech;
}

/** A model string, taken apart, with the provider's key (empty where none is needed). */
interface Choice extends Omit<ModelsOptions, "openai" | "deepgram" | "elevenlabs"> {
  readonly model: string;
  readonly option?: string | undefined;
  readonly language?: string | undefined;
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
}

type Kind = "STT" | "LLM" | "TTS";
type Provider = "openai" | "deepgram" | "flite" | "demo" | "local" | "browser";
type Table<T> = Readonly<Partial<Record<Provider, (choice: Choice) => T>>>;

const recognizers: Table<SpeechToText> = {
  deepgram: (choice) => deepgramSpeechToText({ ...choice, language: choice.option ?? choice.language }),
  openai: (choice) => openaiSpeechToText({ ...choice, language: choice.option ?? choice.language }),
  browser: browserSpeechToText,
  local: (choice) => localSpeechToText({ ...choice, language: choice.option ?? choice.language }),
};

const languageModels: Table<LanguageModel> = {
  openai: openaiLanguageModel,
  demo: demoLanguageModel,
};

const voices: Table<TextToSpeech> = {
  deepgram: deepgramTextToSpeech,
  openai: (choice) => openaiTextToSpeech({ ...choice, voice: choice.option }),
  flite: ({ model }) => fliteTextToSpeech({ voice: model }),
};

export function createModels(options: ModelsOptions): Models {
  const { clock, log } = options;

  function make<T>(kind: Kind, table: Table<T>, name: string, language?: string): T {
    const { provider, model, option } = parse(kind, name);
    const known = Object.keys(table);
    if (!known.includes(provider)) {
      throw new ConfigError(
        `${kind} is ${JSON.stringify(name)}: there is no provider ${JSON.stringify(provider)} for it; ` +
          `expected one of ${known.join(", ")}`,
      );
    }
    const keyed = provider === "openai" || provider === "deepgram";
    const { apiKey = "", baseUrl } = keyed ? options[provider] : {};
    if (keyed && !apiKey) {
      throw new ConfigError(`${provider.toUpperCase()}_API_KEY is not set; ${kind} ${name} needs it`);
    }
    const create = table[provider as Provider]!;
    return create({ model, option, language, apiKey, baseUrl, clock, log });
  }

  return {
    stt: (name, { language } = {}) => make("STT", recognizers, name, language),
    llm: (name) => make("LLM", languageModels, name),
    tts: (name, { language } = {}) => make("TTS", voices, name, language),
  };
}

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
