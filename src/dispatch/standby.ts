/** An agent that is in its room before the session is its own: hidden from clients, it hears, and can be heard at once. */
import type { Agent } from "../agent.ts";
import { spokenFormOf } from "../charge.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { type MadeSpeech, makeSpeech } from "../greeting.ts";
import type { Log } from "../log.ts";
import type { Models } from "../models.ts";
import type { Checkpoint } from "../resume/checkpoints.ts";
import { type Gate, openGate } from "../room/gate.ts";
import { joinLiveKitRoom } from "../room/livekit/room.ts";
import type { Room, RoomMessage } from "../room/room.ts";
import { RoomReplacedError } from "./rooms.ts";
import { providersFor } from "./settings.ts";

export interface Standby {
  readonly room: Pick<Room, "publishOnBehalf">;
  /**
   * The room for the session that goes on there, with the gate of its claim. `sinceMs`: what was written before is not read
   * (clock milliseconds; default: all is).
   */
  enter(gate: Gate | undefined, sinceMs: number | undefined): Room;
  /** Begins to make `text`, which is said first by who is in charge; the caller has it end. */
  make(text: string): MadeSpeech;
  /** Leaves the room, unless it was entered. */
  leave(): Promise<void>;
}

/** Who is to go on with which session, and behind whom they wait. */
export interface Wanted {
  readonly left: Checkpoint;
  readonly identity: string;
  readonly onBehalfOf: string;
  /** Gives it up. */
  readonly signal: AbortSignal;
}

/** How many messages are kept until somebody reads them. */
const messagesKept = 100;

/** What stands by; settles when the participant can hear the agent and is heard, rejects as the room's join does. */
export function standbyMaker({ agents, config, models, clock, log }: {
  readonly agents: Readonly<Record<string, Agent>>;
  readonly config: Config;
  readonly models: Models;
  readonly clock: Clock;
  readonly log: Log;
}): (wanted: Wanted) => Promise<Standby> {
  return async ({ left, identity, onBehalfOf, signal }) => {
    const { sessionId, room: roomName, agent: agentName, roomSid, snapshot } = left;
    const agent = agents[agentName];
    if (!config.livekit || !agent) throw new ConfigError(`there is no agent ${JSON.stringify(agentName)}`);
    const warmth = new AbortController();
    const inCharge = agents[snapshot?.inCharge ?? ""] ?? agent;
    const { stt, llm, tts } = providersFor(inCharge, config, models);
    for (const provider of [stt, llm, tts]) provider.connect?.({ signal: warmth.signal });
    const gate = lateGate();
    const joined = joinLiveKitRoom({
      ...config.livekit,
      roomName,
      identity,
      onBehalfOf,
      agentName,
      subscribe: agent.autoSubscribe ?? "audio",
      participants: agent.participants,
      gate,
      clock,
      log: log.child({ sessionId, room: roomName, agent: agentName }),
      signal,
    });
    joined.catch(() => warmth.abort()); // whoever waits for the room is told why
    const room = await joined;
    let entered = false;
    const leave = async () => {
      warmth.abort();
      if (!entered) await room[Symbol.asyncDispose]();
    };
    try {
      if (room.id !== roomSid) throw new RoomReplacedError(roomName);
      await room.waitForParticipant(snapshot?.participant, { signal });
      await Promise.all([room.audible?.({ signal }), room.hears?.({ signal })]);
      await room.audible?.({ signal }); // whoever has not subscribed to the voice may to the second one
    } catch (error) {
      await leave();
      throw error;
    }
    const messages = room.messages?.pipeThrough(stamped(clock));
    return {
      room,
      enter(own, sinceMs = -Infinity) {
        entered = true;
        if (own) gate.use(own);
        // By descriptors, since a spread would read its getters once and for all.
        return Object.create(Object.prototype, {
          ...Object.getOwnPropertyDescriptors(room),
          ...(messages && { messages: { value: messages.pipeThrough(writtenSince(sinceMs)) } }),
        });
      },
      make(text) {
        const life = new AbortController();
        const voice = tts.connect?.({ signal: life.signal }) ?? tts;
        const spokenForm = spokenFormOf(
          inCharge,
          (error) => log.error({ error, sessionId }, "a stage failed"),
        );
        const made = makeSpeech(text, { providers: { tts: voice }, spokenForm }, life);
        void made.over.then(() => life.abort());
        return made;
      },
      leave,
    };
  };
}

/** A gate that is open until there is one to do as. */
function lateGate(): Gate & { use(gate: Gate): void } {
  let gate = openGate;
  const listeners = new Set<() => void>();
  return {
    get open() {
      return gate.open;
    },
    onShut: (listener) => void listeners.add(listener),
    use(own) {
      gate = own;
      own.onShut(() => listeners.forEach((listener) => listener()));
    },
  };
}

interface Stamped {
  readonly message: RoomMessage;
  readonly atMs: number;
}

/** Reads at once, to know when it came. */
const stamped = (clock: Clock): TransformStream<RoomMessage, Stamped> =>
  new TransformStream(
    { transform: (message, controller) => controller.enqueue({ message, atMs: clock.now() }) },
    undefined,
    { highWaterMark: messagesKept },
  );

const writtenSince = (sinceMs: number): TransformStream<Stamped, RoomMessage> =>
  new TransformStream({
    transform({ message, atMs }, controller) {
      if (atMs >= sinceMs) controller.enqueue(message);
    },
  });
