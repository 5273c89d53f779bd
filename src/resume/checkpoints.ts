/** What is kept of the sessions in LiveKit rooms, for the case that their process is gone. */
import * as z from "zod";
import { wallTime } from "../clock.ts";
import { type Fence, type Store, StoreError } from "../dispatch/store/store.ts";
import { windowOf } from "../history/window.ts";
import type { Log } from "../log.ts";
import { type ReportSums, reportSums } from "../telemetry/report.ts";
import { type SessionSnapshot, sessionSnapshot } from "./snapshot.ts";

/** What a session is started from, as far as another process needs to be told. */
export interface Started {
  readonly sessionId: string;
  readonly room: string;
  readonly roomSid: string;
  /** Who began, by their name in the registry. */
  readonly agent: string;
  /** What the dispatch carried. */
  readonly metadata: string;
  /** The identity of whom it was asked for. */
  readonly participant?: string;
  /** The agent's own identity, once it is in the room. */
  readonly identity?: string;
  /** LiveKit's dispatch that it came of. */
  readonly dispatchId?: string;
}

const checkpoint = z.object({
  version: z.literal(1),
  sessionId: z.string(),
  room: z.string(),
  roomSid: z.string(),
  agent: z.string(),
  metadata: z.string(),
  participant: z.string().exactOptional(),
  identity: z.string().exactOptional(),
  dispatchId: z.string().exactOptional(),
  /** Its process has given it up, for another to go on with as if nothing had happened. */
  given: z.literal(true).exactOptional(),
  /** When it stood like that, in milliseconds since 1970. */
  writtenAt: z.number(),
  /** How often the session has gone on since its process was gone. */
  resumptions: z.int().min(0),
  /** Missing until somebody has come to talk with: then the session begins anew. */
  snapshot: sessionSnapshot.exactOptional(),
  /** What its report has summed up. */
  sums: reportSums.exactOptional(),
});

/** A session that another process may go on with. */
export type Checkpoint = Readonly<z.infer<typeof checkpoint>>;

/** So long ago it was written, in milliseconds, as far as the clocks of both machines agree. */
export type FoundCheckpoint = Checkpoint & { readonly agoMs: number };

/** Keeps one session's. */
export interface SessionCheckpoint {
  /** Writes how it stands; when it has the claim no more, nothing. Rejects with a StoreError. */
  keep(snapshot: SessionSnapshot): Promise<void>;
  /** Writes how it stands when it is given to another process, and then nothing; rejects when that is not written. */
  give(snapshot: SessionSnapshot): Promise<void>;
  /** It was not taken: writes as before. */
  takeBack(snapshot: SessionSnapshot): Promise<void>;
  /** It has ended: nobody is to go on with it. Rejects with a StoreError. */
  forget(fence: Fence): Promise<void>;
}

export interface Checkpoints {
  /** Of a session that begins here, or goes on from what is `left`. `fence`: its claim; the room may have another SID later. */
  of(
    session: () => Started,
    about: { readonly fence: () => Fence; readonly left?: Checkpoint | undefined; readonly log: Log },
  ): SessionCheckpoint;
  /** Every room and agent of which there is one. Rejects with a StoreError. */
  list(): Promise<readonly Pick<Started, "roomSid" | "agent">[]>;
  /** The one of that room and agent, with the time that has passed since; undefined when it cannot be read. */
  find(roomSid: string, agent: string): Promise<FoundCheckpoint | undefined>;
  /** Forgets the one of that room and agent, whoever wrote it. */
  remove(roomSid: string, agent: string): Promise<void>;
}

/** Nobody goes on with a session of which nothing was written for so long, in milliseconds. */
const ttlMs = 24 * 3_600_000;
/** Characters of a history, as JSON; of what is longer the newest is kept. */
const mostCharacters = 500_000;
const kind = "session";

export function createCheckpoints({ store, sumsOf, log }: {
  readonly store: Store;
  /** What the report of that session has summed up by now. */
  readonly sumsOf: (sessionId: string) => ReportSums | undefined;
  readonly log: Log;
}): Checkpoints {
  const keyOf = (roomSid: string, agent: string) => `${kind}:${JSON.stringify([roomSid, agent])}`;
  return {
    of(session, { fence, left, log }) {
      const resumptions = left && !left.given ? left.resumptions + 1 : left?.resumptions ?? 0;
      let key: string | undefined;
      let working: Promise<unknown> = Promise.resolve();
      let over = false;
      let isGiven = false;
      const write = async (
        snapshot: SessionSnapshot | undefined,
        writtenAt: number,
        about: Pick<Checkpoint, "given"> = {},
      ): Promise<void> => {
        if (over || (isGiven && !about.given)) return;
        isGiven = about.given === true;
        const started = session();
        const sums = sumsOf(started.sessionId) ?? left?.sums;
        const before = key;
        key = keyOf(started.roomSid, started.agent);
        const text = JSON.stringify(
          {
            version: 1,
            ...started,
            ...about,
            writtenAt,
            resumptions,
            ...(sums && { sums }),
            ...(snapshot && { snapshot: { ...snapshot, history: bounded(snapshot.history) } }),
          } satisfies Checkpoint,
        );
        const isKept = await store.set(key, text, { ttlMs, fence: fence() });
        if (!isKept && about.given) throw new StoreError("the session has its claim no more");
        if (!isKept) log.debug({}, "nothing is kept of a session that has its claim no more");
        if (before !== undefined && before !== key) await store.delete(before);
      };
      const keep = async (snapshot: SessionSnapshot | undefined, about?: Pick<Checkpoint, "given">) => {
        const takenAt = wallTime();
        const done = working.then(() => write(snapshot, takenAt, about)); // what the session is told of is there by then
        working = done.catch(() => {}); // whoever keeps it is told
        await done;
      };
      keep(left?.snapshot).catch((error) => log.warn({ error }, "the session could not be written down"));
      return {
        keep: (snapshot) => keep(snapshot.talkingSinceMs === undefined ? undefined : snapshot),
        give: (snapshot) => keep(snapshot, { given: true }),
        takeBack(snapshot) {
          isGiven = false;
          return keep(snapshot);
        },
        async forget(fence) {
          over = true;
          await working;
          if (key !== undefined) await store.delete(key, { fence });
        },
      };
    },
    async list() {
      const keys = await store.keys(kind);
      return keys.map((key) => {
        const [roomSid, agent] = z.tuple([z.string(), z.string()]).parse(
          JSON.parse(key.slice(kind.length + 1)),
        );
        return { roomSid, agent };
      });
    },
    async find(roomSid, agent) {
      const text = await store.get(keyOf(roomSid, agent));
      if (text === undefined) return undefined;
      const { data, error } = checkpoint.safeParse(JSON.parse(text));
      if (!data) {
        log.warn(
          { error, roomSid, agent },
          "a session cannot be gone on with: what was kept of it cannot be read",
        );
        return undefined;
      }
      const agoMs = Math.max(0, wallTime() - data.writtenAt); // clocks may differ
      const { snapshot } = data;
      if (!snapshot) return { ...data, agoMs };
      return { ...data, agoMs, snapshot: { ...snapshot, elapsedMs: snapshot.elapsedMs + agoMs } };
    },
    async remove(roomSid, agent) {
      await store.delete(keyOf(roomSid, agent));
    },
  };
}

/** The newest of `history` that is not too long, nothing torn apart. */
function bounded(history: SessionSnapshot["history"]): SessionSnapshot["history"] {
  if (JSON.stringify(history).length <= mostCharacters) return history;
  const maxItems = history.length;
  return windowOf(history, {
    maxItems,
    maxTokens: mostCharacters,
    tokensOf: (item) => JSON.stringify(item).length,
  });
}
