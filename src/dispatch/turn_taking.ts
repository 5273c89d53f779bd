/** When an agent answers and gives way: its own settings, else the configuration's, else the defaults. */
import type { Agent } from "../agent.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { consentIn } from "../turn/consent.ts";
import { type TurnLanguage, turnLanguage } from "../turn/languages.ts";
import { phrases } from "../turn/phrases.ts";
import type { TurnOptions } from "../turn/state.ts";
import { unfinishedWords } from "../turn/unfinished.ts";

/** The shortest and the longest delay before an answer, in milliseconds of silence. */
export const delays = { minDelayMs: 350, maxDelayMs: 3_000 };

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
    consent: consentIn(language),
    speculate: config.speculate,
  };
}
