/** What an agent left open is filled in from the configuration, and what that leaves open from the defaults. */
import type { Agent } from "../agent.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { loadTokenizer } from "../history/tokens.ts";
import { MissingKeyError } from "../keys.ts";
import type { Models } from "../models.ts";
import type { Providers } from "../session.ts";
import type { CostCaps } from "../spending.ts";
import { sileroDetector } from "../vad/silero.ts";
import { delays } from "./turn_taking.ts";

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
  const stages = agent.model === undefined
    ? { stt: models.stt(stt, heard), llm: models.llm(llm), tts: models.tts(tts, spoken) }
    : models.speech(agent.model, spoken);
  return {
    vad: "detect" in vad ? vad : sileroDetector({ ...voice, ...vad }),
    ...stages,
    ...(typeof turnDetection === "object" && { turnDetector: turnDetection }),
    ...summarizerOf(agent, names, models),
  };
}

/** What a call that begins with `agent` may cost. */
export function costCapsFor(
  { costCaps: { softUsd, hardUsd, model } = {} }: Agent,
  { maxCallUsd }: Pick<Config, "maxCallUsd">,
  models: Models,
): CostCaps {
  return { softUsd, hardUsd: hardUsd ?? maxCallUsd, ...(model && { llm: models.llm(model) }) };
}

/** Loads what counts tokens for `agents`, where they have a limit of them, so that no call waits for it. */
export async function preloadTokenizers(
  agents: Readonly<Record<string, Agent>>,
  { models: names }: Pick<Config, "models">,
): Promise<void> {
  const limited = Object.values(agents).filter(({ history }) => history?.maxTokens !== undefined);
  await Promise.all(
    limited.flatMap(({ llm = names.llm }) => llm).flatMap((llm) =>
      typeof llm === "object" && "race" in llm ? llm.race : llm
    ).map((llm) => loadTokenizer(typeof llm === "string" ? llm : llm.model)),
  );
}

/** What writes its summaries, where that is not the model that answers. */
function summarizerOf(
  { history, model }: Agent,
  names: Config["models"] | undefined,
  models: Models,
): Pick<Providers, "summarizer"> {
  // A model that speaks has one conversation, in which nothing else can be asked.
  const spare = model !== undefined && history?.summarize ? names?.llm : undefined;
  const { llm = spare } = typeof history?.summarize === "object" ? history.summarize : {};
  if (llm === undefined) return {};
  return { summarizer: models.llm(llm) };
}

/** Throws a ConfigError when one of `names`, which agents use that name none, is no model; a key may be missing. */
export function checkDefaults({ stt, llm, tts }: Config["models"], models: Models): void {
  for (const make of [() => models.stt(stt), () => models.llm(llm), () => models.tts(tts)]) {
    try {
      make();
    } catch (error) {
      if (!(error instanceof MissingKeyError)) throw error;
    }
  }
}

/**
 * What keeps `agents` from being used that name models of their own, a sentence each: keys that are not set. Throws a
 * ConfigError for models that there are not.
 */
export function missingKeys(agents: Readonly<Record<string, Agent>>, models: Models): string[] {
  return Object.entries(agents).flatMap(([name, agent]) => {
    const { stt, llm, tts, model: speech, costCaps: { model } = {} } = agent;
    const makers = [
      () => summarizerOf(agent, undefined, models),
      () => speech && models.speech(speech),
      () => stt && models.stt(stt),
      () => llm && models.llm(llm),
      () => model && models.llm(model),
      () => tts && models.tts(tts),
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
