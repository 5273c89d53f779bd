/** From a dispatch to a session: in the LiveKit room of that name, unless the dispatch brings a room of its own. */
import type { Agent } from "../agent.ts";
import type { Equipped } from "../charge.ts";
import type { Clock } from "../clock.ts";
import type { Config, LiveKitConfig } from "../config.ts";
import { ConfigError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Models } from "../models.ts";
import { joinLiveKitRoom, type LiveKitRoomOptions } from "../room/livekit/room.ts";
import type { RecordingFiles } from "../recording/files.ts";
import type { SessionSnapshot } from "../resume/snapshot.ts";
import { startRecorded } from "../recording/start.ts";
import { type RunningSession, type SessionOptions, startSession } from "../session.ts";
import type { SessionRequest, Ticket } from "./dispatcher.ts";
import { fliteTextToSpeech } from "../tts/flite.ts";
import { createSpareVoices } from "../tts/spare.ts";
import type { AudioTurnDetector } from "../turn/end_of_turn.ts";
import { identityOf } from "./session_id.ts";
import { costCapsFor, providersFor } from "./settings.ts";
import { turnTakingFor } from "./turn_taking.ts";

export interface StarterOptions {
  /** The registry: what agents are called that the conversation is handed over to. */
  readonly agents: Readonly<Record<string, Agent>>;
  readonly config: Config;
  readonly models: Models;
  /** Judges by the sound whether a user has finished, in every session. */
  readonly turnDetector?: AudioTurnDetector | undefined;
  /** Where every session is recorded, if any is. */
  readonly recordings?: RecordingFiles | undefined;
  /** The version of an agent that there is now. */
  readonly latest?: ((agent: Agent) => Agent) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts sessions for the dispatcher. The function throws a ConfigError when something it needs is not configured. */
export function sessionStarter(
  { agents, config, models, turnDetector, recordings, latest, clock, log }: StarterOptions,
): (request: SessionRequest) => RunningSession {
  const nameOf = (agent: Agent) =>
    Object.keys(agents).find((name) => agents[name] === agent) ?? agent.name ?? "agent";
  const spareVoice = createSpareVoices({ clock, local: fliteTextToSpeech() });
  const voiceKey = voiceKeys();
  const equip = (agent: Agent): Equipped => {
    const providers = providersFor(agent, config, models);
    const spare = spareVoice(voiceKey(agent), providers.tts);
    return {
      agent,
      agentName: nameOf(agent),
      providers: { ...providers, spare, ...(turnDetector && { turnDetector }) },
      turnTaking: turnTakingFor(agent, config),
    };
  };
  /** From where a session goes on; who is in charge and not in the registry leaves it to who began. */
  const goingOn = (snapshot: SessionSnapshot, first: Agent, stood: SessionRequest["stood"]) => {
    const { inCharge: name, participant } = snapshot;
    const inCharge = Object.hasOwn(agents, name) ? agents[name] : undefined;
    if (!inCharge) {
      log.warn({ sessionId: snapshot.sessionId, agent: name }, "who was in charge is not in the registry");
    }
    return {
      resume: {
        snapshot,
        inCharge: inCharge ?? first,
        silentlySinceMs: stood?.silentlySinceMs,
        made: stood?.made,
      },
      ...(participant !== undefined && { participant }),
    };
  };
  return ({ roomName, join, ticket, left, stood, gate, onRoom, ...request }) => {
    const { id, agentName, agent } = request;
    const sessionLog = log.child({ sessionId: id, room: roomName, agent: agentName });
    const place = {
      roomName,
      identity: left?.identity ?? identityOf(id),
      ...ticket,
      agentName,
      subscribe: agent.autoSubscribe ?? "audio",
      participants: agent.participants,
      gate,
    };
    const options: SessionOptions = {
      ...equip(agent),
      ...request,
      equip,
      ...(left?.snapshot && goingOn(left.snapshot, agent, stood)),
      ...(latest && { latest }),
      join: shown(
        join ?? (stood && entered(stood, gate)) ??
          livekitRoom(config.livekit, { ...place, clock, log: sessionLog }),
        onRoom,
      ),
      maxCallMs: agent.maxCallMs ?? config.maxCallMs,
      costCaps: costCapsFor(agent, config, models),
      clock,
      log: sessionLog,
    };
    // A recording begins with its session.
    return recordings && !options.resume
      ? startRecorded(options, config, recordings.open(id))
      : startSession(options);
  };
}

/** Names of agents' voices: the same for the same voice. */
function voiceKeys(): (agent: Pick<Agent, "tts" | "model" | "language">) => string {
  const own = new WeakMap<object, number>();
  let count = 0;
  const nameOf = (voice: object) => {
    const name = own.get(voice) ?? ++count;
    own.set(voice, name);
    return name;
  };
  const isOwn = (value: unknown) =>
    typeof value === "object" && value !== null && ("synthesize" in value || "stages" in value);
  return ({ tts, model, language }) =>
    JSON.stringify([tts, model, language], (_, value) => isOwn(value) ? nameOf(value) : value);
}

function livekitRoom(
  livekit: LiveKitConfig | undefined,
  place: Omit<LiveKitRoomOptions, keyof LiveKitConfig | "signal"> & Partial<Ticket>,
): SessionOptions["join"] {
  if (!livekit) throw new ConfigError("LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set");
  return ({ signal }) => joinLiveKitRoom({ ...livekit, ...place, signal });
}

/** The room is joined already. */
const entered = (
  { standby, unreadSinceMs }: NonNullable<SessionRequest["stood"]>,
  gate: SessionRequest["gate"],
): SessionOptions["join"] =>
() => Promise.resolve(standby.enter(gate, unreadSinceMs));

/** Shows `onRoom` the room that was joined; when that throws, the room is left. */
function shown(join: SessionOptions["join"], onRoom: SessionRequest["onRoom"]): SessionOptions["join"] {
  return async (options) => {
    const room = await join(options);
    try {
      onRoom?.(room);
      return room;
    } catch (error) {
      await room[Symbol.asyncDispose]();
      throw error;
    }
  };
}
