/** What an agent left open is filled in from the configuration, and what that leaves open from the defaults. */
import type { Agent } from "../agent.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { MissingKeyError, type Models } from "../models.ts";
import type { Providers } from "../session.ts";
import { type TurnLanguage, turnLanguage } from "../turn/languages.ts";
import { phrases } from "../turn/phrases.ts";
import type { TurnOptions } from "../turn/state.ts";
import { unfinishedWords } from "../turn/unfinished.ts";
import { sileroDetector } from "../vad/silero.ts";

const delays = { minDelayMs: 350, maxDelayMs: 3_000 };

/** What `agent` hears, thinks and speaks with. */
export function providersFor(
  agent: Agent,
  { models: names, voice, endpointing }: Pick<Config, "models" | "voice" | "endpointing">,
  models: Models,
): Providers {
  const { vad = {}, stt = names.stt, llm = names.llm, tts = names.tts, turnDetection } = agent;
  const spoken = agent.language === undefined ? {} : { language: agent.language };
  const { minDelayMs } = { ...delays, ...endpointing, ...agent.endpointing };
  const heard = { ...spoken, ...(turnDetection === "stt" && { endpointingMs: minDelayMs }) };
  return {
    vad: "detect" in vad ? vad : sileroDetector({ ...voice, ...vad }),
    stt: typeof stt === "object" && "transcribe" in stt ? stt : models.stt(stt, heard),
    llm: typeof llm === "object" && "generate" in llm ? llm : models.llm(llm),
    tts: typeof tts === "object" && "synthesize" in tts ? tts : models.tts(tts, spoken),
    ...(typeof turnDetection === "object" && { turnDetector: turnDetection }),
  };
}

/**
 * What keeps `agents` from being used that name models of their own, a sentence each: keys that are not set. Throws a
 * ConfigError for models that there are not.
 */
export function missingKeys(agents: Readonly<Record<string, Agent>>, models: Models): string[] {
  return Object.entries(agents).flatMap(([name, { stt, llm, tts }]) => {
    const makers = [
      () => stt && !(typeof stt === "object" && "transcribe" in stt) && models.stt(stt),
      () => llm && !(typeof llm === "object" && "generate" in llm) && models.llm(llm),
      () => tts && !(typeof tts === "object" && "synthesize" in tts) && models.tts(tts),
    ];
    const missing = makers.flatMap((make) => {
      try {
        make();
        return [];
      } catch (error) {
        if (error instanceof MissingKeyError) return [error.message];
        if (error instanceof ConfigError) throw new ConfigError(`The agent "${name}": ${error.message}`);
        throw error;
      }
    });
    return missing.length > 0 ? [`The agent "${name}" cannot be used: ${missing.join("; ")}.`] : [];
  });
}

/** When `agent` answers and gives way; throws a ConfigError when its settings and the configuration's contradict. */
export function turnTakingFor(
  agent: Agent,
  config: Pick<Config, "endpointing" | "interruption" | "speculate">,
): TurnOptions {
  const endpointing = { ...delays, ...config.endpointing, ...agent.endpointing };
  const { minDelayMs, maxDelayMs } = endpointing;
  if (minDelayMs > maxDelayMs) {
    throw new ConfigError(
      `endpointing is ${minDelayMs}–${maxDelayMs} ms, the agent's and the configuration's taken together; ` +
        "expected a minimum up to the maximum",
    );
  }
  const { turnDetection = "words" } = agent;
  const language: TurnLanguage = { ...turnLanguage(agent.language), ...agent.turnWords };
  const interruption = { allowed: true, minDurationMs: 300, minWords: 0, falseAfterMs: 2_000 };
  return {
    endpointing: {
      minDelayMs,
      maxDelayMs,
      dynamic: endpointing.mode === "dynamic",
      ...(turnDetection !== "silence" && { words: unfinishedWords(language) }),
    },
    detection: turnDetection === "manual" ? "manual" : turnDetection === "stt" ? "recognizer" : "silence",
    interruption: {
      ...interruption,
      ...config.interruption,
      ...agent.interruption,
      backchannels: phrases(language.backchannels),
      stopWords: phrases(language.stopWords),
    },
    speculate: config.speculate,
  };
}
