/** What an agent left open is filled in from the configuration, and what that leaves open from the defaults. */
import type { Agent } from "../agent.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../errors.ts";
import type { Models } from "../models.ts";
import type { Providers } from "../session.ts";
import type { TurnOptions } from "../turn/state.ts";
import { sileroDetector } from "../vad/silero.ts";

/** What `agent` hears, thinks and speaks with. */
export function providersFor(
  agent: Agent,
  { models: names, voice }: Pick<Config, "models" | "voice">,
  models: Models,
): Providers {
  const { vad = {}, stt = names.stt, llm = names.llm, tts = names.tts } = agent;
  const spoken = agent.language === undefined ? {} : { language: agent.language };
  return {
    vad: "detect" in vad ? vad : sileroDetector({ ...voice, ...vad }),
    stt: typeof stt === "string" ? models.stt(stt, spoken) : stt,
    llm: typeof llm === "string" ? models.llm(llm) : llm,
    tts: typeof tts === "string" ? models.tts(tts, spoken) : tts,
  };
}

/** When `agent` answers and gives way; throws a ConfigError when its settings and the configuration's contradict. */
export function turnTakingFor(
  agent: Agent,
  config: Pick<Config, "endpointing" | "interruption" | "speculate">,
): TurnOptions {
  const endpointing = { minDelayMs: 350, maxDelayMs: 3_000, ...config.endpointing, ...agent.endpointing };
  const { minDelayMs, maxDelayMs } = endpointing;
  if (minDelayMs > maxDelayMs) {
    throw new ConfigError(
      `endpointing is ${minDelayMs}–${maxDelayMs} ms, the agent's and the configuration's taken together; ` +
        "expected a minimum up to the maximum",
    );
  }
  const interruption = { allowed: true, minDurationMs: 300, minWords: 0, falseAfterMs: 2_000 };
  return {
    endpointing,
    interruption: { ...interruption, ...config.interruption, ...agent.interruption },
    speculate: config.speculate,
  };
}
