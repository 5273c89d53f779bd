/** From a dispatch to a session in a LiveKit room. */
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../errors.ts";
import type { Log } from "../log.ts";
import { joinLiveKitRoom } from "../room/livekit/room.ts";
import { type RunningSession, startSession } from "../session.ts";
import type { SessionRequest } from "./dispatcher.ts";
import { type Models, providersFor, turnTakingFor } from "./settings.ts";

export interface StarterOptions {
  readonly config: Config;
  readonly models: Models;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts sessions for the dispatcher. The function throws a ConfigError when something it needs is not configured. */
export function sessionStarter(
  { config, models, clock, log }: StarterOptions,
): (request: SessionRequest) => RunningSession {
  return ({ roomName, ...request }) => {
    const { livekit } = config;
    if (!livekit) throw new ConfigError("LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set");
    const { id, agentName, agent } = request;
    const sessionLog = log.child({ sessionId: id, room: roomName, agent: agentName });
    const place = { roomName, agentName, identity: `agent-${id}`, subscribe: agent.autoSubscribe ?? "audio" };
    return startSession({
      ...request,
      providers: providersFor(agent, config, models),
      turnTaking: turnTakingFor(agent, config),
      join: ({ signal }) => joinLiveKitRoom({ ...livekit, ...place, clock, log: sessionLog, signal }),
      clock,
      log: sessionLog,
    });
  };
}
