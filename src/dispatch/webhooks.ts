/** What follows from LiveKit's webhooks: agents are sent to rooms, and sessions ended that did not notice their room's end. */
import type { Clock } from "../clock.ts";
import type { CloseReason } from "../events.ts";
import type { Log } from "../log.ts";
import { decideArrival } from "./arrivals.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { createErrands, type ErrandRoom } from "./errands.ts";
import { type Hint, readWebhook, type Webhook } from "./hints.ts";
import type { RoomNow, Rooms } from "./rooms.ts";
import type { Tombstone } from "./tombstones.ts";

/** Takes LiveKit's webhooks, in any order, as often as they come. */
export interface Webhooks extends AsyncDisposable {
  /** Queues what follows from a webhook of that body, whose signature is known to be good. Never throws. */
  accept(body: string): void;
  /** Looks whether that room needs an agent, though no webhook told of it. */
  look(where: ErrandRoom): void;
}

/** What became of a webhook: LiveKit sends one again when its answer was lost, and most tell nothing that matters here. */
export type WebhookOutcome = "followed" | "ignored" | "repeated" | "malformed";

export interface WebhookOptions {
  readonly dispatcher: Pick<Dispatcher, "dispatch" | "presence">;
  readonly rooms: Pick<Rooms, "find">;
  /** The names in the registry. */
  readonly agents: readonly string[];
  /** The agent of rooms whose metadata names none. */
  readonly autoAgent?: string | undefined;
  /** Rooms that others send agents to: nobody is sent there. */
  readonly isOthers?: ((room: string) => boolean) | undefined;
  /** Told of each webhook; `event`: its name, "none" where it has none. */
  readonly onWebhook?: (webhook: { readonly event: string; readonly outcome: WebhookOutcome }) => void;
  /** Told of each room that is not looked at because too many wait. */
  readonly onDrop?: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What to look for in a room. */
type Task =
  /** Whether it needs an agent; `started`: it is said to be new. */
  | { readonly type: "arrival"; readonly started: boolean }
  /** Whether the session has missed its end. */
  | { readonly type: "end"; readonly sessionId: string; readonly reason: CloseReason };

/** Webhooks that are remembered, to know one that comes again. */
const idLimit = 10_000;
/** A session notices by itself who left, and waits 3 s for them: it is helped only when it did not, milliseconds. */
const graceMs = 5_000;
/** After this long LiveKit has put out an agent whose process died, milliseconds. */
const deadAgentMs = 25_000;
/** How soon it is tried again to send an agent, when what would say who has one could not be asked, milliseconds. */
const retryMs = 5_000;

export function createWebhooks(options: WebhookOptions): Webhooks {
  const { dispatcher, agents, autoAgent, isOthers, onWebhook, clock, log } = options;
  const { presence } = dispatcher;
  const ids = new Set<string>();
  /** Timers by what they are for: a session's grace, a room's second look. */
  const timers = new Map<string, Disposable>();
  /** Sessions after whose end their room is looked at again. */
  const awaited = new Set<string>();
  let closed = false;

  const perform = async (
    where: ErrandRoom,
    room: RoomNow | undefined,
    tasks: readonly Task[],
  ): Promise<void> => {
    if (room) presence.observe(room);
    for (const task of tasks) {
      if (task.type === "end") help(task.sessionId, task.reason, room);
    }
    const arrivals = tasks.filter((task) => task.type === "arrival");
    if (arrivals.length === 0 || !room) return;
    await presence.settled(room.name);
    await receive(room, { roomSid: where.roomSid, started: arrivals.some(({ started }) => started) });
  };
  const errands = createErrands<Task>({ ...options, perform });

  /** Sends `room` the agent it is to have. */
  const receive = async (
    room: RoomNow,
    hint: { readonly roomSid: string | undefined; readonly started: boolean },
  ): Promise<void> => {
    const { sid: roomSid, name } = room;
    const again = (started = false) => errands.add({ room: name, roomSid }, { type: "arrival", started });
    const againLater = () => later(JSON.stringify([name, roomSid]), retryMs, () => again(hint.started));
    let endings: readonly Tombstone[];
    try {
      endings = await presence.endings(roomSid);
    } catch (error) {
      log.warn({ error, room: name, roomSid }, "it is not known who was in a room; it is asked again");
      return againLater();
    }
    const visits = presence.visits.filter((visit) => visit.roomSid === roomSid);
    const decision = decideArrival(room, { ...hint, visits, endings, agents, autoAgent });
    switch (decision.type) {
      case "send":
        // The place is taken before this returns; how the agent fares there is not waited for.
        return void send(room, decision.agent, againLater);
      case "wait":
        for (const { sessionId, session } of decision.visits) {
          if (awaited.has(sessionId)) continue;
          awaited.add(sessionId);
          void session.done.then(() => {
            awaited.delete(sessionId);
            again();
          });
        }
        return;
      case "look-again":
        later(JSON.stringify([name, roomSid]), deadAgentMs, again);
        return log.debug({ room: name, roomSid, why: decision.why }, "no agent sent");
      case "unknown-agent":
        return log.warn(
          { room: name, roomSid, agent: decision.agent, agents },
          "no agent sent: the one that is asked for is not in the registry",
        );
      case "nothing":
        return log.debug({ room: name, roomSid, why: decision.why }, "no agent sent");
    }
  };

  const send = async (room: RoomNow, agent: string, againLater: () => void): Promise<void> => {
    const { name, metadata, sid: roomSid } = room;
    const result = await dispatcher.dispatch({ room: name, agent, metadata, found: room });
    if (result.type === "created") log.info({ room: name, roomSid, agent }, "agent sent, as a webhook asked");
    else if (result.type === "existing") {
      log.debug({ ...result, roomSid }, "no agent sent: another has the room");
    } else log.warn({ ...result, room: name, roomSid, agent }, "agent not sent, though a webhook asked");
    if (result.type === "failed") againLater();
  };

  /** Ends a session whose room, or participant, is gone without its knowing. */
  const help = (sessionId: string, reason: CloseReason, room: RoomNow | undefined) => {
    const visit = presence.visits.find((visit) => visit.sessionId === sessionId);
    if (!visit || visit.ending) return; // it has noticed by itself
    const isGone = room?.sid !== visit.roomSid;
    const isLeft = reason === "participant-left" &&
      room?.participants.every(({ identity }) => identity !== visit.participant);
    if (!isGone && !isLeft) return;
    const why = isGone ? "room-deleted" : reason;
    log.warn({ sessionId, room: visit.room, reason: why }, "a session did not notice its end");
    void visit.session.close(why);
  };

  const later = (key: string, ms: number, then: () => void) => {
    if (closed) return;
    timers.get(key)?.[Symbol.dispose]();
    const timer = clock.after(ms, () => {
      timers.delete(key);
      then();
    });
    timers.set(key, timer);
  };

  const follow = (hint: Hint) => {
    const { room, roomSid } = hint;
    if (hint.type === "arrival") {
      if (!isOthers?.(room)) errands.add({ room, roomSid }, hint);
      return;
    }
    const reason = hint.type === "room-end" ? "room-deleted" : "participant-left";
    for (const { sessionId, ...visit } of presence.visits) {
      if (roomSid === undefined ? visit.room !== room : visit.roomSid !== roomSid) continue;
      if (hint.type === "departure" && visit.participant !== hint.identity) continue;
      later(sessionId, graceMs, () => errands.add({ room, roomSid }, { type: "end", sessionId, reason }));
    }
  };

  const take = (webhook: Webhook): WebhookOutcome => {
    if (isKnown(webhook.id)) return "repeated";
    if ("hint" in webhook) {
      follow(webhook.hint);
      return "followed";
    }
    log.debug({ id: webhook.id, why: webhook.ignored }, "webhook ignored");
    return "ignored";
  };

  const isKnown = (id: string | undefined): boolean => {
    if (id === undefined) return false;
    if (ids.has(id)) return true;
    ids.add(id);
    const [oldest] = ids;
    if (ids.size > idLimit && oldest !== undefined) ids.delete(oldest);
    return false;
  };

  return {
    accept(body) {
      if (closed) return;
      try {
        const webhook = readWebhook(body);
        const outcome = take(webhook);
        onWebhook?.({ event: webhook.event, outcome });
      } catch (error) {
        onWebhook?.({ event: "none", outcome: "malformed" });
        log.warn({ error }, "a webhook with a good signature is not what LiveKit sends");
      }
    },
    look(where) {
      if (!closed && !isOthers?.(where.room)) errands.add(where, { type: "arrival", started: false });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const timer of timers.values()) timer[Symbol.dispose]();
      timers.clear();
      await errands[Symbol.asyncDispose]();
    },
  };
}
