/**
 * Makes good the dispatches that LiveKit has lost. Its own server tries nothing again: what no worker answered in time,
 * what was asked for before one was registered, the job of a worker that died. So its rooms are looked at, and who is
 * missing is sent, once for each dispatch.
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Automatic } from "./automatic.ts";
import type { Dispatcher, DispatchRequest, DispatchResult } from "./dispatcher.ts";
import type { Leases } from "./leases.ts";
import { isMissing, isServed } from "./lost.ts";
import type { RoomDispatch, RoomName, Rooms } from "./rooms.ts";
import type { Store } from "./store/store.ts";

export interface Repairs extends AsyncDisposable {
  /** Looks at the rooms from now on. */
  start(): void;
}

export interface RepairOptions {
  readonly dispatcher: Pick<Dispatcher, "dispatch" | "presence" | "refusal">;
  readonly rooms: Pick<Rooms, "list" | "dispatches" | "find">;
  /** The names in the registry. */
  readonly agents: readonly string[];
  /** The agent of rooms that ask for nobody by name; without it they are left to others. */
  readonly autoAgent: string | undefined;
  readonly automatic: Automatic;
  /** Shared by all processes that repair: one of them looks at a time, and each dispatch is repaired by one. */
  readonly store: Pick<Store, "take" | "renew" | "release">;
  /** Whether any process has the claim of a room for an agent, where several share them. */
  readonly claimed?: Leases["claimed"] | undefined;
  /** Told what came of each repair. */
  readonly onRepair?: (repair: { readonly outcome: DispatchResult["type"] }) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often the rooms are looked at. Who is missing twice is lost: a worker takes a job within half a second. */
const periodMs = 1_500;
/** How long the process that looks keeps others from it. */
const watchMs = 2_500;
/** Rooms looked at in one go, those first that waited longest; and at the same time. */
const limit = { rooms: 100, atOnce: 8 };
/** How long it is known that a dispatch was repaired. */
const knownMs = 6 * 60 * 60_000;

/** What is known of a room, by its SID. */
interface Notes {
  lookedAtMs: number;
  /** The dispatches that nothing had come of when it was looked at last. */
  suspects: ReadonlySet<string>;
  /** Those that are not looked at any more. */
  readonly done: Set<string>;
}

export function createRepairs(options: RepairOptions): Repairs {
  const { dispatcher, rooms, agents, autoAgent, automatic, store, onRepair, clock, log } = options;
  const { presence } = dispatcher;
  const over = new AbortController();
  const notes = new Map<string, Notes>();
  let running: Promise<void> | undefined;
  let watch: number | undefined;
  let failing = false;

  const there = ({ sid }: RoomName) =>
    presence.visits.filter(({ roomSid }) => roomSid === sid).map(({ agent }) => agent);
  const gone = async ({ sid }: RoomName) => (await presence.endings(sid)).map(({ agent }) => agent);
  const concerns = ({ agent }: RoomDispatch) =>
    agent === "" ? autoAgent !== undefined : agents.includes(agent);
  const waits = (room: RoomName, dispatch: RoomDispatch) =>
    concerns(dispatch) && dispatch.jobs.every(({ ended }) => !ended) && !isServed(dispatch, there(room));

  /** What to ask for, from the room as it is now; undefined: nobody is missing. */
  const request = async (room: RoomName, dispatch: RoomDispatch): Promise<DispatchRequest | undefined> => {
    if (dispatch.agent === "") return await automatic(room, { isNew: dispatch.jobs.length === 0 });
    const now = await rooms.find(room.name);
    const claimed = await options.claimed?.(room.sid, dispatch.agent);
    if (now?.sid !== room.sid || !isMissing(dispatch, now, { claimed })) return undefined;
    presence.observe(now);
    await presence.settled(room.name);
    if (!waits(room, dispatch)) return undefined;
    return { room: room.name, roomSid: room.sid, agent: dispatch.agent, metadata: dispatch.metadata };
  };

  /** Sends who is missing; returns whether the dispatch need not be looked at again. */
  const repair = async (room: RoomName, dispatch: RoomDispatch): Promise<boolean> => {
    if (isServed(dispatch, await gone(room))) return true; // it was served, and that is over
    const asked = await request(room, dispatch);
    if (!asked || over.signal.aborted) return false;
    const key = `repair:${dispatch.id}`;
    const taking = await store.take(key, room.sid, knownMs);
    if (taking.type === "held") return true;
    const { type: outcome } = await dispatcher.dispatch(asked);
    onRepair?.({ outcome });
    log.warn(
      { room: room.name, dispatchId: dispatch.id, agent: asked.agent, outcome },
      "LiveKit lost a dispatch",
    );
    const isLater = outcome === "full" || outcome === "draining";
    if (isLater) await store.release(key, taking.token);
    return !isLater;
  };

  const look = async (room: RoomName): Promise<void> => {
    const known = notes.get(room.sid) ?? { lookedAtMs: 0, suspects: new Set(), done: new Set() };
    notes.set(room.sid, known);
    known.lookedAtMs = clock.now();
    const dispatches = await rooms.dispatches(room.name);
    const waiting = dispatches.filter((one) => !known.done.has(one.id) && waits(room, one));
    const { suspects } = known;
    known.suspects = new Set(waiting.map(({ id }) => id));
    for (const dispatch of waiting) {
      if (suspects.has(dispatch.id) && await repair(room, dispatch)) known.done.add(dispatch.id);
    }
  };

  /** Whether this process is the one that looks. */
  const watches = async (): Promise<boolean> => {
    if (watch !== undefined && await store.renew("repairs:watch", watch, watchMs)) return true;
    const taking = await store.take("repairs:watch", "", watchMs);
    watch = taking.type === "taken" ? taking.token : undefined;
    return watch !== undefined;
  };

  const pass = async (): Promise<void> => {
    if (dispatcher.refusal || !await watches()) return; // who has no place leaves it to another
    const all = await rooms.list();
    const sids = new Set(all.map(({ sid }) => sid));
    for (const sid of notes.keys()) if (!sids.has(sid)) notes.delete(sid);
    const since = ({ sid }: RoomName) => notes.get(sid)?.lookedAtMs ?? -Infinity;
    const next = all.toSorted((a, b) => since(a) - since(b)).slice(0, limit.rooms).values();
    const failures: unknown[] = [];
    const work = async () => {
      for (const room of next) {
        if (over.signal.aborted) return;
        await look(room).catch((error) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: limit.atOnce }, work));
    if (failures.length > 0) throw failures[0];
  };

  const tryPass = async () => {
    try {
      await pass();
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ error }, "LiveKit's rooms could not be looked at; it is tried again");
      failing = true;
    }
  };
  const run = async () => {
    while (!over.signal.aborted) {
      await tryPass();
      await clock.sleep(periodMs, { signal: over.signal });
    }
  };

  return {
    start() {
      running ??= run().catch((error) => {
        if (!over.signal.aborted) throw error;
      });
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await running;
    },
  };
}
