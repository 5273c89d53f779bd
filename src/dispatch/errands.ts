/** A bounded queue of rooms to look at: what is to be done in one room is done together, and one after the other. */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { RoomNow, Rooms } from "./rooms.ts";

/** Which room; by its SID, where that is known, since another room may come by its name. */
export interface ErrandRoom {
  readonly room: string;
  readonly roomSid: string | undefined;
}

export interface Errands<T> extends AsyncDisposable {
  /** Has the room looked at for `task`, and for what else waits there by then. */
  add(where: ErrandRoom, task: T): void;
}

export interface ErrandOptions<T> {
  readonly rooms: Pick<Rooms, "find">;
  /** Does what is to be done in the room as it is now; undefined when there is none of that name. Does not wait long. */
  readonly perform: (
    where: ErrandRoom,
    room: RoomNow | undefined,
    tasks: readonly T[],
  ) => void | Promise<void>;
  /** Told of each room that is not looked at because too many wait. */
  readonly onDrop?: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rooms that wait, tasks that wait in one room, and rooms that are looked at at a time. */
const roomLimit = 1_000;
const taskLimit = 100;
const lookLimit = 8;
/** Pauses between attempts to read a room, milliseconds. */
const backoffMs = [500, 1_000, 2_000, 4_000];

export function createErrands<T>({ rooms, perform, onDrop, clock, log }: ErrandOptions<T>): Errands<T> {
  const over = new AbortController();
  const waiting = new Map<string, { readonly where: ErrandRoom; readonly tasks: T[] }>();
  const looking = new Map<string, Promise<void>>();
  let dropped = 0;

  const read = async (name: string): Promise<RoomNow | undefined> => {
    for (const pauseMs of backoffMs) {
      try {
        return await rooms.find(name);
      } catch (error) {
        log.warn({ error, room: name, pauseMs }, "a room could not be read; it is tried again");
        await clock.sleep(pauseMs, { signal: over.signal });
      }
    }
    return await rooms.find(name);
  };

  const look = async (where: ErrandRoom, tasks: readonly T[]): Promise<void> => {
    try {
      const room = await read(where.room);
      if (!over.signal.aborted) await perform(where, room, tasks);
    } catch (error) {
      if (!over.signal.aborted) log.error({ error, room: where.room }, "a webhook could not be followed");
    }
  };

  const next = () => {
    for (const [key, { where, tasks }] of waiting) {
      if (looking.size >= lookLimit) return;
      if (looking.has(key)) continue;
      waiting.delete(key);
      const work = look(where, tasks).finally(() => {
        looking.delete(key);
        next();
      });
      looking.set(key, work);
    }
  };

  const dropOldest = () => {
    const [oldest] = waiting;
    if (!oldest) return;
    waiting.delete(oldest[0]);
    onDrop?.();
    if (dropped++ % 100 > 0) return;
    log.warn({ room: oldest[1].where.room, dropped }, "too many webhooks: the oldest are not followed");
  };

  return {
    add(where, task) {
      if (over.signal.aborted) return;
      const key = JSON.stringify([where.room, where.roomSid]);
      const errand = waiting.get(key) ?? { where, tasks: [] };
      waiting.set(key, errand);
      errand.tasks.push(task);
      if (errand.tasks.length > taskLimit) errand.tasks.shift();
      if (waiting.size > roomLimit) dropOldest();
      next();
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      waiting.clear();
      await Promise.all(looking.values());
    },
  };
}
