/** What makes the models of each provider. */
import type { Clock } from "./clock.ts";
import { type KeyedProvider, MissingKeyError } from "./keys.ts";
import { anthropicLanguageModel } from "./llm/anthropic.ts";
import { demoLanguageModel } from "./llm/demo.ts";
import { googleLanguageModel } from "./llm/google.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { openaiLanguageModel } from "./llm/openai.ts";
import { openaiResponsesModel } from "./llm/openai_responses.ts";
import type { Log } from "./log.ts";
import type {
  LanguageModelSpec,
  SpeechToSpeechSpec,
  SpeechToTextSpec,
  TextToSpeechSpec,
} from "./model_specs.ts";
import { openaiRealtime } from "./realtime/openai.ts";
import type { SpeechToSpeech } from "./realtime/realtime.ts";
import { assemblyaiSpeechToText } from "./stt/assemblyai.ts";
import { browserSpeechToText } from "./stt/browser.ts";
import { deepgramSpeechToText } from "./stt/deepgram.ts";
import { deepgramFluxSpeechToText } from "./stt/deepgram_flux.ts";
import { elevenlabsSpeechToText } from "./stt/elevenlabs.ts";
import { localSpeechToText } from "./stt/local.ts";
import { openaiSpeechToText } from "./stt/openai.ts";
import { isRealtimeOnly, openaiRealtimeSpeechToText } from "./stt/openai_realtime.ts";
import type { SpeechToText } from "./stt/stt.ts";
import { cartesiaTextToSpeech } from "./tts/cartesia.ts";
import { deepgramTextToSpeech } from "./tts/deepgram.ts";
import { elevenlabsTextToSpeech } from "./tts/elevenlabs.ts";
import { fliteTextToSpeech } from "./tts/flite.ts";
import { openaiTextToSpeech } from "./tts/openai.ts";
import type { VoicePool } from "./tts/pool.ts";
import type { TextToSpeech } from "./tts/tts.ts";

/** A model, its string taken apart, with the provider's key (empty where none is needed). */
export interface ChosenModel
  extends Omit<SpeechToTextSpec & TextToSpeechSpec & LanguageModelSpec & SpeechToSpeechSpec, "model"> {
  readonly model: string;
  readonly option?: string | undefined;
  readonly endpointingMs?: number | undefined;
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
  readonly pool?: VoicePool | undefined;
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

/** What makes the models of a provider. */
export interface Maker<T> {
  readonly make: (choice: ChosenModel) => T;
  /** The server that a model of it makes HTTP requests of. */
  readonly server?: (choice: ChosenModel) => string | undefined;
  /** The options that a model of it takes, besides a language. */
  readonly takes?: (model: string) => readonly (keyof ChosenModel)[];
  /** What is narrower than an agent's definition may have it. */
  readonly ranges?: Partial<Record<keyof ChosenModel, readonly [min: number, max: number]>>;
}

/** Makers by what their providers are called in model strings. */
export type Makers<T> = Readonly<Partial<Record<Provider, Maker<T>>>>;

const openaiServer = ({ baseUrl = "https://api.openai.com" }: ChosenModel) => baseUrl;

const spoken = (choice: ChosenModel) => ({ ...choice, language: choice.option ?? choice.language });

const isFlux = (model: string): boolean => model.startsWith("flux-");

const isRealtime = ({ model, realtime }: ChosenModel): boolean => realtime ?? isRealtimeOnly(model);

/** Recognizers. */
export const recognizers: Makers<SpeechToText> = {
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

/** Language models. */
export const languageModels: Makers<LanguageModel> = {
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

/** Voices. */
export const voices: Makers<TextToSpeech> = {
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

/** Models that hear and speak by themselves. */
export const speechModels: Makers<SpeechToSpeech> = {
  "openai-realtime": {
    make: (choice) => openaiRealtime({ ...choice, voice: choice.voice ?? choice.option }),
    takes: () => ["voice", "speed", "transcription"],
  },
};
