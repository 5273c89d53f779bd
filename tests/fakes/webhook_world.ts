/** A LiveKit in memory, the webhooks that it would send, and the dispatcher and sessions that they meet. */
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { createWebhooks } from "../../src/dispatch/webhooks.ts";
import type { RoomEnd } from "../../src/room/room.ts";
import { fakeClock } from "./clock.ts";
import { fakeLog } from "./log.ts";
import { fakeRooms } from "./rooms.ts";
import { type FakeRoom, type FakeSession, fakeSessions } from "./session.ts";
import { webhookBody } from "./webhooks.ts";

const agent = defineAgent({ instructions: "Be brief." });

/** A session that was started, in its room. */
export interface Call {
  readonly session: FakeSession;
  readonly room: FakeRoom & { readonly closed: AbortController };
}

export function webhookWorld(
  { autoAgent, maxSessions = 2_000 }: { readonly autoAgent?: string; readonly maxSessions?: number } = {},
) {
  const clock = fakeClock();
  const log = fakeLog();
  const rooms = fakeRooms();
  const { start } = fakeSessions();
  const calls: Call[] = [];
  const present = new Map<string, Map<string, string>>();
  const dispatcher = createDispatcher({
    agents: { support: agent, sales: agent },
    defaultAgent: "support",
    start(request) {
      const session = start(request) as FakeSession;
      const room = { id: request.roomSid, closed: new AbortController() };
      calls.push({ session, room });
      queueMicrotask(() => session.arrive(room)); // joining is never at once
      return session;
    },
    rooms,
    maxSessions,
    clock,
    log,
  });
  const told: string[] = [];
  let dropped = 0;
  const webhooks = createWebhooks({
    dispatcher,
    rooms,
    agents: ["support", "sales"],
    autoAgent,
    isOthers: (room) => room.startsWith("page-"),
    onWebhook: ({ event, outcome }) => void told.push(`${event} ${outcome}`),
    onDrop: () => void dropped++,
    clock,
    log,
  });

  const about = (name: string) => ({ room: { name, sid: rooms.open(name) } });
  return {
    clock,
    log,
    rooms,
    dispatcher,
    webhooks,
    calls,
    /** What became of each webhook. */
    told,
    /** Rooms that were not looked at because too many waited. */
    get dropped() {
      return dropped;
    },
    /** What was started so far: the agent and the room's SID. */
    get sent() {
      return calls.map(({ session: { request } }) => `${request.agentName} in ${request.roomSid}`);
    },
    /** The reasons with which sessions were ended from outside. */
    get closes() {
      return calls.map(({ session }) => session.closes);
    },
    /** Makes the room; the webhook that tells of it. */
    open(name: string, metadata?: string): string {
      rooms.open(name, metadata);
      return webhookBody("room_started", about(name));
    },
    /** Somebody enters; the webhook that tells of it. `kind`: as LiveKit's JSON has it. */
    enter(name: string, identity: string, kind = "STANDARD"): string {
      const sid = rooms.enter(name, identity, { canTalk: kind === "STANDARD" || kind === "SIP" });
      const there = present.get(name) ?? new Map<string, string>();
      present.set(name, there.set(identity, sid));
      return webhookBody("participant_joined", { ...about(name), participant: { sid, identity, kind } });
    },
    /** Somebody leaves; the webhook that tells of it. */
    leave(name: string, identity: string, disconnectReason = "CLIENT_INITIATED"): string {
      const sid = present.get(name)?.get(identity);
      const body = webhookBody("participant_left", {
        ...about(name),
        participant: { sid, identity, kind: "STANDARD", disconnectReason },
      });
      rooms.leave(name, identity);
      present.get(name)?.delete(identity);
      return body;
    },
    /** The room ends; the webhook that tells of it. */
    finish(name: string): string {
      const body = webhookBody("room_finished", about(name));
      rooms.close(name);
      present.delete(name);
      return body;
    },
    /** The newest session notices that its room, or its participant, is gone; those there now were there by then. */
    notice(name: string, reason: RoomEnd): void {
      const call = calls.at(-1);
      if (!call) throw new Error("no session was started");
      call.room.witnesses = new Set(present.get(name)?.values());
      call.room.closed.abort(reason);
      call.session.end(reason);
    },
    /** Delivers webhooks, and lets happen what needs no time. */
    async deliver(...bodies: string[]): Promise<void> {
      for (const body of bodies) webhooks.accept(body);
      await clock.settle();
      await clock.settle();
    },
  };
}
