/** What agents hear, think and speak with when nothing else is said: the best that the keys there are allow. */
import type { Keys } from "./keys.ts";

export interface ModelNames {
  readonly stt: string;
  readonly llm: string;
  readonly tts: string;
}

/** One stage of the pipeline, in words for whoever starts or uses the server. */
export interface StageModel {
  readonly stage: "stt" | "llm" | "tts";
  /** Such as `deepgram/nova-3`, or what stands in for it in words. */
  readonly model: string;
  /** Whether it only stands in for a real one. */
  readonly simulated: boolean;
  /** What makes it real, or better. */
  readonly hint?: string;
}

interface StandIn {
  readonly name: string;
  readonly words: string;
  readonly simulated: boolean;
  readonly hint: string;
}

/** What needs no key. */
const standIns: Readonly<Record<keyof ModelNames, StandIn>> = {
  stt: {
    name: "browser/speech",
    words: "your browser's own speech recognition, where it has one",
    simulated: false,
    hint: "Set DEEPGRAM_API_KEY, OPENAI_API_KEY or ELEVENLABS_API_KEY to recognize speech on the server.",
  },
  llm: {
    name: "demo/rules",
    words: "a demo of fixed rules",
    simulated: true,
    hint: "Set OPENAI_API_KEY for a real language model.",
  },
  tts: {
    name: "flite/slt",
    words: "Flite, on this machine",
    simulated: false,
    hint: "Set ELEVENLABS_API_KEY, CARTESIA_API_KEY, DEEPGRAM_API_KEY or OPENAI_API_KEY for a natural voice.",
  },
};

/**
 * The models for the keys that are set: Deepgram's ears and voice before OpenAI's, and stand-ins without either.
 * ElevenLabs' and Cartesia's keys are for a voice first: where one is set, that voice is wanted; ElevenLabs' ears where there
 * are no others.
 */
export function defaultModels(
  { openai, deepgram, elevenlabs, cartesia }: Pick<Keys, "openai" | "deepgram" | "elevenlabs" | "cartesia">,
): ModelNames {
  const first = (ofDeepgram: string | undefined, ofOpenAI: string, standIn: StandIn) =>
    (deepgram.apiKey && ofDeepgram) || (openai.apiKey && ofOpenAI) || standIn.name;
  const ears = elevenlabs.apiKey ? { ...standIns.stt, name: "elevenlabs/scribe_v2_realtime" } : standIns.stt;
  return {
    stt: first("deepgram/nova-3", "openai/gpt-4o-transcribe", ears),
    llm: first(undefined, "openai/gpt-4o-mini", standIns.llm),
    tts: (elevenlabs.apiKey && "elevenlabs/eleven_turbo_v2_5") ||
      (cartesia.apiKey && "cartesia/sonic-3") ||
      first("deepgram/aura-2-thalia-en", "openai/gpt-4o-mini-tts", standIns.tts),
  };
}

/** What each stage is, and what could be better. */
export function stageModels(names: ModelNames): StageModel[] {
  return (["stt", "llm", "tts"] as const).map((stage) => {
    const { name, words, simulated, hint } = standIns[stage];
    const model = names[stage];
    return model === name ? { stage, model: words, simulated, hint } : { stage, model, simulated: false };
  });
}

/** Whether the participant's browser is to recognize speech. */
export const recognizesInBrowser = ({ stt }: ModelNames): boolean => stt === standIns.stt.name;
