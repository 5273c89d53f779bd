/** All that is looked at for a configuration. */
import type { Agent } from "../agent.ts";
import type { Clock } from "../clock.ts";
import { type Config, warningsFor } from "../config.ts";
import { checkDefaults, missingKeys } from "../dispatch/settings.ts";
import { silentLog } from "../log.ts";
import { createModels } from "../models.ts";
import { type Check, ok, skipped, warning } from "./check.ts";
import { livekitChecks, livekitName } from "./livekit.ts";
import { machineChecks } from "./machine.ts";
import { providerChecks } from "./providers.ts";
import { redisChecks } from "./redis.ts";
import { findServer, portChecks, type ServerFound, serverPlace } from "./server.ts";
import { clockChecks } from "./time.ts";
import { webhookChecks } from "./webhook.ts";

export interface DoctorOptions {
  readonly config: Config;
  readonly agents: Readonly<Record<string, Agent>>;
  /** Where a server of this configuration is asked from this machine. */
  readonly address: string;
  readonly clock: Clock;
}

/** The checks, in the order in which they are told; throws a ConfigError where a server would not even start. */
export function checksFor({ config, agents, address, clock }: DoctorOptions): Check[] {
  const { livekit } = config;
  const place = serverPlace(config, address);
  let server: Promise<ServerFound> | undefined;
  const found = (signal: AbortSignal) => server ??= findServer(place, signal);
  const noLiveKit: Check = {
    name: livekitName,
    run: () => Promise.resolve(skipped("its keys are not set: agents talk on the page only")),
  };
  return [
    ...configurationChecks({ config, agents, clock }),
    ...machineChecks({ config, agents }),
    ...portChecks(config, { place, found }),
    ...clockChecks(config),
    ...livekit ? livekitChecks({ livekit, clock }) : [noLiveKit],
    ...livekit ? webhookChecks({ livekit, place, found, clock }) : [],
    ...redisChecks(config, clock),
    ...providerChecks(config),
  ];
}

/** What the server itself says when it starts; throws a ConfigError where it would not start. */
function configurationChecks({ config, agents, clock }: Omit<DoctorOptions, "address">): Check[] {
  const models = createModels({ ...config, clock, log: silentLog });
  checkDefaults(config.models, models);
  const { stt, llm, tts } = config.models;
  const warnings = [...warningsFor(config), ...missingKeys(agents, models)];
  const findings = [ok(`${stt} → ${llm} → ${tts}`), ...warnings.map(warning)];
  return findings.map((finding) => ({ name: "configuration", run: () => Promise.resolve(finding) }));
}
