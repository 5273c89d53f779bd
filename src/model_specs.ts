/** Models with options, as an agent's definition gives them. */
import * as z from "zod";
import type { LanguageModel } from "./llm/llm.ts";

/** A model string, the same with options, or an object of one's own; or several, the best first: the next stands in for those before. */
export type Choice<Spec, Provider> = OneChoice<Spec, Provider> | readonly OneChoice<Spec, Provider>[];
export type OneChoice<Spec, Provider> = string | Spec | Provider;

/** A recognizer. */
export interface SpeechToTextSpec {
  /** Such as `deepgram/nova-3`. */
  readonly model: string;
  /** BCP 47 (default: the agent's `language`). */
  readonly language?: string;
  /** 0–1, how sure it is to be that a turn is over: Deepgram's Flux (0.5–1, default 0.7), AssemblyAI (default 0.4). */
  readonly endOfTurnThreshold?: number;
  /** 0.3–0.9, how sure it is to be that a turn is likely to be over, so that an answer is prepared: Flux (default 0.5). */
  readonly eagerEndOfTurnThreshold?: number;
  /** Milliseconds of silence that end a turn however sure it is: Flux (500–60,000, default 5,000), AssemblyAI (default 1,280). */
  readonly endOfTurnTimeoutMs?: number;
  /** Over one WebSocket in place of a request for each utterance: OpenAI's models (default: those that take nothing else). */
  readonly realtime?: boolean;
}

/** A language model. */
export interface LanguageModelSpec {
  /** Such as `openai/gpt-4o`. */
  readonly model: string;
  /** 0–2: how freely it chooses its words (default: the model's own). */
  readonly temperature?: number;
  /** The most tokens of one answer (default: the model's own). */
  readonly maxTokens?: number;
}

/** Language models that race: see `raceLanguageModels()`. In a model string: `openai/gpt-4o|anthropic/claude-haiku-4-5`. */
export interface LanguageModelRace {
  /** In the order in which they are asked. */
  readonly race: readonly OneChoice<LanguageModelSpec, LanguageModel>[];
  /** The next is asked too when there is no speakable clause after so many milliseconds (default: learned; 3,000 at first). */
  readonly afterMs?: number;
}

/** A voice. */
export interface TextToSpeechSpec {
  /** Such as `elevenlabs/eleven_turbo_v2`. */
  readonly model: string;
  /** The voice's id or name, for models that have several (default: the provider's). */
  readonly voice?: string;
  /** BCP 47 (default: the agent's `language`). */
  readonly language?: string;
  /** How to speak ("calm, a little amused"): OpenAI's voices. */
  readonly instructions?: string;
  /** 1 is the voice's own: ElevenLabs' voices (0.7–1.2) and Cartesia's (0.6–1.5). */
  readonly speed?: number;
  /** 0–1, how even the voice is: ElevenLabs' voices. */
  readonly stability?: number;
  /** 0–1, how close to the original it keeps: ElevenLabs' voices. */
  readonly similarity?: number;
  /** 0.5–2, 1 is the voice's own: Cartesia's voices. */
  readonly volume?: number;
  /** Such as "calm" or "excited": Cartesia's voices. */
  readonly emotion?: string;
}

/** A model that hears and speaks by itself. */
export interface SpeechToSpeechSpec {
  /** Such as `openai-realtime/gpt-realtime`. */
  readonly model: string;
  /** The voice's name (default "marin"). */
  readonly voice?: string;
  /** 0.25–1.5: 1 is the voice's own. */
  readonly speed?: number;
  /** The model that transcribes the user, for the transcript and the history (default `gpt-transcribe`). */
  readonly transcription?: string;
  /** BCP 47 (default: the agent's `language`). */
  readonly language?: string;
}

const from = (min: number, max: number) => {
  const error = `a number from ${min} to ${max}`;
  return z.number({ error }).min(min, error).max(max, error).optional();
};
const raceOptions = z.strictObject({
  race: z.array(z.unknown(), "a list of models").min(2, "two models at least"),
  afterMs: from(0, 60_000),
});
const text = (error: string) => z.string({ error }).regex(/\S/, error);
const language = text("a BCP 47 language such as en").optional();
const model = (example: string) => {
  const error = `a provider and a model, such as ${example}`;
  return z.string({ error }).regex(/^[a-z0-9-]+\/\S+$/, error);
};

/** The method that an object of the author's own has, and what a model with options may hold. */
const stages = {
  stt: {
    method: "transcribe",
    options: z.strictObject({
      model: model("deepgram/nova-3"),
      language,
      endOfTurnThreshold: from(0, 1),
      eagerEndOfTurnThreshold: from(0.3, 0.9),
      endOfTurnTimeoutMs: from(100, 60_000),
      realtime: z.boolean("true or false").optional(),
    }),
  },
  llm: {
    method: "generate",
    options: z.strictObject({
      model: model("openai/gpt-4o"),
      temperature: from(0, 2),
      maxTokens: z.int("a whole number from 1").min(1, "a whole number from 1").optional(),
    }),
  },
  tts: {
    method: "synthesize",
    options: z.strictObject({
      model: model("elevenlabs/eleven_turbo_v2"),
      voice: text("a voice's id or name").optional(),
      language,
      instructions: text("words that say how to speak").optional(),
      speed: from(0.6, 1.5),
      stability: from(0, 1),
      similarity: from(0, 1),
      volume: from(0.5, 2),
      emotion: text("the name of an emotion, such as calm").optional(),
    }),
  },
  model: {
    method: "stages",
    options: z.strictObject({
      model: model("openai-realtime/gpt-realtime"),
      voice: text("a voice's name").optional(),
      speed: from(0.25, 1.5),
      transcription: text("a model's name, such as gpt-transcribe").optional(),
      language,
    }),
  },
} as const;

/**
 * What is wrong with an agent's models, in words; undefined when nothing is. Whether there is such a model shows later.
 * `name`: what the field is called (default: as the stage is).
 */
export function problemOfModels(
  choices: {
    readonly stt?: unknown;
    readonly llm?: unknown;
    readonly tts?: unknown;
    readonly model?: unknown;
  },
  name?: string,
): string | undefined {
  for (const stage of ["stt", "llm", "tts", "model"] as const) {
    const given = choices[stage];
    if (given === undefined) continue;
    const field = name ?? stage;
    if (choices.model !== undefined && stage !== "model") {
      return `\`${stage}\` is there beside \`model\`, which takes its place; expected one of them`;
    }
    if (stage === "model" && Array.isArray(given)) {
      return `\`${field}\` is a list; expected one model, since nothing can stand in for it in a call`;
    }
    if (Array.isArray(given) && given.length === 0) {
      return `\`${field}\` is an empty list; expected a model at least`;
    }
    const problem = Array.isArray(given)
      ? given.map((one, i) => problemOfModel(stage, `${field}[${i}]`, one)).find(Boolean)
      : problemOfModel(stage, field, given);
    if (problem) return problem;
  }
  return undefined;
}

function problemOfModel(stage: keyof typeof stages, name: string, given: unknown): string | undefined {
  const { method, options } = stages[stage];
  if (typeof given === "object" && given !== null && method in given) return undefined;
  const races = stage === "llm" && typeof given === "object" && given !== null && "race" in given;
  const schema = races ? raceOptions : options;
  const issue = schema.safeParse(typeof given === "string" ? { model: given } : given).error?.issues[0];
  if (!issue) {
    const racers: readonly unknown[] = races ? raceOptions.parse(given).race : [];
    return racers.map((one, i) => problemOfModel(stage, `${name}.race[${i}]`, one)).find(Boolean);
  }
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(schema.shape).join(", ");
    return `\`${name}\` has no option ${issue.keys.join(", ")}; expected some of ${known}`;
  }
  if (issue.path.length === 0) {
    return `\`${name}\` is ${typeof given}; expected a model string, a model with options, or an object with ${method}()`;
  }
  const [key = ""] = issue.path;
  const value = typeof given === "string" ? given : (given as Record<PropertyKey, unknown>)[key];
  const where = typeof given === "string" ? name : `${name}.${String(key)}`;
  return `\`${where}\` is ${JSON.stringify(value)}; expected ${issue.message}`;
}
