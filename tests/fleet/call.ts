/** Calls that last while servers come and go. Whoever calls knows what they must hear, and that they hear it once. */
import { ParticipantKind, RoomEvent } from "@livekit/rtc-node";
import type { ChatBody } from "../emulators/openai.ts";
import { type Caller, joinCaller, until } from "../e2e/caller.ts";
import type { Access } from "../e2e/cluster.ts";

/** What the model says: it counts its answers by its history, so that one that has lost it begins anew. */
export function nextAnswer(_user: string, _n: number, { messages }: ChatBody): string {
  const said = messages.filter(({ role }) => role === "assistant").map(({ content }) => String(content));
  const last = said.map((text) => /Answer (\d+)/.exec(text)?.[1]).findLast((n) => n !== undefined);
  return `Answer ${Number(last ?? 0) + 1} is what you hear now.`;
}

export interface FleetCall extends AsyncDisposable {
  readonly room: string;
  /** Whether the user asks by voice; if not, in writing, and without a microphone. */
  readonly speaks: boolean;
  /** Waits for the agent's greeting. */
  untilGreeted(): Promise<void>;
  /** Asks one question, and waits until its answer was heard. */
  ask(): Promise<void>;
  /** The lines that were said to the user, in order. */
  readonly lines: readonly string[];
  /** Milliseconds during which no agent was to be seen, since there was one first. */
  readonly withoutAgentMs: number;
  /** The agents that are to be seen, as LiveKit's components look for them. */
  readonly agents: readonly string[];
  /** What happened to the one who calls, and when, in words. */
  readonly trail: readonly string[];
}

/** However slow a machine that runs many tests may be. */
export const patientMs = 60_000;

/** Joins a room of its own. */
export async function startCall(
  access: Access,
  { speaks, question, n }: { readonly speaks: boolean; readonly question: Int16Array; readonly n: number },
): Promise<FleetCall> {
  const room = `fleet-${n}-${crypto.randomUUID()}`;
  const facts = { ...access, roomName: room, identity: `caller-${n}` };
  // A track costs much, silent or not; and so do small pieces.
  const caller = await joinCaller({ ...facts, publish: speaks, keep: false, pieceMs: 100 });
  const agents = watchAgents(caller);
  const { trail, note } = keepTrail(caller);
  let asked = 0;
  const lines = () => caller.transcripts.filter(({ identity }) => identity !== caller.identity);
  const untilSaid = (begin: string) =>
    until(
      () => lines().find(({ text, closed }) => closed && text.startsWith(begin)),
      `${caller.identity} to be told ${JSON.stringify(begin)} behind ${
        JSON.stringify(lines().slice(-4).map(({ text }) => text))
      }`,
      patientMs,
    );
  return {
    room,
    speaks,
    async untilGreeted() {
      await untilSaid("Hello!");
    },
    async ask() {
      const sinceMs = performance.now();
      const answer = `Answer ${++asked} `;
      note(`asks for ${answer}`);
      if (speaks) await caller.speak(question);
      else await caller.room.localParticipant?.sendText("What is next?", { topic: "lk.chat" });
      await untilSaid(answer);
      await caller.untilSpeech({ sinceMs, timeoutMs: patientMs });
    },
    get lines() {
      return lines().map(({ text }) => text);
    },
    get withoutAgentMs() {
      return agents.absentMs;
    },
    get agents() {
      return agents.seen;
    },
    trail,
    [Symbol.asyncDispose]: () => caller.leave(),
  };
}

/** Writes down what happens to the connection of the one who calls, and to what they hear. */
function keepTrail({ room }: Caller) {
  const trail: string[] = [];
  const note = (what: string) => void trail.push(`${new Date().toISOString()} caller ${what}`);
  room.on(RoomEvent.Reconnecting, () => note("reconnects"));
  room.on(RoomEvent.Reconnected, () => note("has reconnected"));
  room.on(RoomEvent.Disconnected, (reason) => note(`is disconnected: ${reason}`));
  room.on(RoomEvent.ParticipantConnected, ({ identity }) => note(`sees ${identity}`));
  room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => note(`sees ${identity} leave`));
  room.on(
    RoomEvent.ParticipantAttributesChanged,
    (changed, { identity }) => note(`sees ${identity} ${JSON.stringify(changed)}`),
  );
  room.on(RoomEvent.TrackPublished, (_, { identity }) => note(`is offered the voice of ${identity}`));
  room.on(RoomEvent.TrackSubscribed, (_, __, { identity }) => note(`hears ${identity}`));
  room.on(RoomEvent.TrackUnsubscribed, (_, __, { identity }) => note(`hears ${identity} no more`));
  room.on(
    RoomEvent.TrackSubscriptionFailed,
    (_, { identity }, reason) => note(`cannot hear ${identity}: ${reason}`),
  );
  return { trail, note };
}

/** Follows which agents are to be seen: one with `lk.publish_on_behalf` is another's helper. */
function watchAgents({ room }: Caller) {
  let absentMs = 0;
  let sinceMs: number | undefined;
  let wasThere = false;
  const seen = () =>
    [...room.remoteParticipants.values()]
      .filter(({ kind, attributes }) => kind === ParticipantKind.AGENT && !attributes["lk.publish_on_behalf"])
      .map(({ identity }) => identity);
  const look = () => {
    const isThere = seen().length > 0;
    wasThere ||= isThere;
    if (!wasThere || isThere === (sinceMs === undefined)) return;
    if (sinceMs === undefined) sinceMs = performance.now();
    else {
      absentMs += performance.now() - sinceMs;
      sinceMs = undefined;
    }
  };
  room.on(RoomEvent.ParticipantConnected, look);
  room.on(RoomEvent.ParticipantDisconnected, look);
  room.on(RoomEvent.ParticipantAttributesChanged, look);
  return {
    get seen() {
      return seen();
    },
    get absentMs() {
      return absentMs + (sinceMs === undefined ? 0 : performance.now() - sinceMs);
    },
  };
}
