/** What is checked and loaded before the first call: a server that answers is ready for one. */
import type { Agent } from "../agent.ts";
import { preloadBackgrounds } from "../background.ts";
import type { Config } from "../config.ts";
import { loadSmartTurn, type SmartTurn } from "../end_of_turn/smart_turn.ts";
import { ConfigError } from "../errors.ts";
import { SPEAKER_FORMAT } from "../room/browser/wire.ts";
import { prepareMcp } from "../tools/mcp.ts";
import { preloadTokenizers } from "./settings.ts";

type Registry = Readonly<Record<string, Agent>>;

/** Loads what `agents` need before a call; rejects with a ConfigError when it is not to be had. */
export async function prepare(agents: Registry, config: Config): Promise<void> {
  await preloadBackgrounds(agents, SPEAKER_FORMAT.sampleRate);
  await prepareMcp(agents);
  await preloadTokenizers(agents, config);
}

/** AUTO_AGENT; throws a ConfigError when it is not in the registry. */
export function knownAutoAgent(
  { autoAgent }: Pick<Config, "autoAgent">,
  agents: Registry,
): string | undefined {
  if (autoAgent === undefined || Object.hasOwn(agents, autoAgent)) return autoAgent;
  const known = Object.keys(agents).join(", ");
  throw new ConfigError(
    `AUTO_AGENT is ${JSON.stringify(autoAgent)}; expected an agent of the registry: ${known}`,
  );
}

/** TURN_MODEL, loaded; rejects with a ConfigError when that is not possible. */
export async function turnDetector({ turnModel }: Pick<Config, "turnModel">): Promise<SmartTurn | undefined> {
  return turnModel === undefined ? undefined : await loadSmartTurn(turnModel);
}
