/** The workers: as many as there are to be, started again when they go, and replaced when they have grown too large. */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { WorkerProcess } from "./process.ts";
import { reportMs, type WorkerReport } from "./wire.ts";

/** A worker, from its start to its end. */
export interface Member {
  readonly name: string;
  readonly pid: number;
  /** "ready" from its first report on; "leaving": it goes on with the calls it has, and ends. */
  readonly state: "starting" | "ready" | "leaving";
  /** The last. */
  readonly report: WorkerReport | undefined;
  /** It should have reported again: it stands still, or has very much to do. */
  readonly isLate: boolean;
}

export interface FleetOptions {
  readonly workers: number;
  /** A worker that takes more memory is replaced; none when left out. */
  readonly maxRssBytes?: number | undefined;
  /** Starts a worker of that name. */
  readonly spawn: (name: string) => WorkerProcess;
  /** Told which worker's process has ended. */
  readonly onGone?: ((name: string) => void) | undefined;
  /** Told why a worker is started in place of another. */
  readonly onRestart?: ((why: "ended" | "memory") => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Fleet {
  readonly members: readonly Member[];
  /** Settles when all that were started first are ready; with the exit code of one that ended before it was. */
  readonly started: Promise<{ readonly failed?: number }>;
  /** Takes a worker's report; false when there is no such worker. */
  take(name: string, report: WorkerReport): boolean;
  /** Has every worker leave; settles when all have ended. */
  drain(): Promise<void>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** A worker that has not reported for so long is killed, and one that was started and is not ready; milliseconds. */
const silentMs = { ready: 10_000, starting: 120_000 };
/** After so long without a report others are asked first, in milliseconds. */
const lateMs = 3_000;
/** A worker that ran for so long ended by chance, and is started again at once; one that did not is not replaced; milliseconds. */
const stableMs = 60_000;
/** Pauses before one is started again that ended sooner, by how often in a row; the last is repeated. */
const pausesMs = [0, 500, 1_000, 2_000, 5_000, 10_000, 30_000];
/** A successor that could not be started is tried again so much later, in milliseconds. */
const successorMs = 60_000;

interface Running {
  readonly process: WorkerProcess;
  readonly startedAtMs: number;
  heardAtMs: number;
  /** Who is to leave as soon as this one is ready. */
  readonly replaces: string | undefined;
  member: Omit<Member, "isLate">;
}

/** Starts them at once. */
export function startFleet(options: FleetOptions): Fleet {
  const { workers, maxRssBytes = Infinity, spawn, onGone, onRestart, clock, log } = options;
  const running = new Map<string, Running>();
  const pauses = new Set<Disposable>();
  const started = Promise.withResolvers<{ readonly failed?: number }>();
  let count = 0;
  let failures = 0;
  let noSuccessorUntilMs = -Infinity;
  let ending: PromiseWithResolvers<void> | undefined;

  const launch = (replaces?: string) => {
    const name = String(++count);
    const process = spawn(name);
    const member: Running["member"] = { name, pid: process.pid, state: "starting", report: undefined };
    const one: Running = { process, startedAtMs: clock.now(), heardAtMs: clock.now(), replaces, member };
    running.set(name, one);
    log.info({ worker: name, pid: process.pid }, "a worker is started");
    void process.exit.then((code) => gone(one, code));
  };

  const gone = (one: Running, code: number) => {
    const { name, state } = one.member;
    const about = { worker: name, pid: one.process.pid, code };
    running.delete(name);
    onGone?.(name);
    if (ending) {
      if (running.size === 0) ending.resolve();
      return log.info(about, "a worker has ended");
    }
    if (state === "starting") started.resolve({ failed: code });
    if (state === "leaving") log.info(about, "a worker has ended");
    else log.error(about, "a worker is gone");
    if (one.replaces !== undefined && state === "starting") noSuccessorUntilMs = clock.now() + successorMs;
    if (state !== "leaving") failures = clock.now() - one.startedAtMs >= stableMs ? 0 : failures + 1;
    fill();
  };

  /** Starts as many as are missing, in a while if they have not lasted. */
  const fill = () => {
    const there = [...running.values()].filter(({ member }) => member.state !== "leaving").length;
    for (let missing = workers - there - pauses.size; missing > 0; missing--) {
      const pauseMs = pausesMs[Math.min(failures, pausesMs.length) - 1] ?? 0;
      const pause = clock.after(pauseMs, () => {
        pauses.delete(pause);
        launch();
        onRestart?.("ended");
      });
      pauses.add(pause);
    }
  };

  const leave = (one: Running) => {
    one.member = { ...one.member, state: "leaving" };
    one.process.kill("SIGTERM");
  };

  const look = () => {
    for (const one of running.values()) {
      const { member: { name, state, report }, process, heardAtMs } = one;
      const unheardMs = clock.now() - heardAtMs;
      if (unheardMs > silentMs[state === "starting" ? "starting" : "ready"]) {
        log.error({ worker: name, pid: process.pid }, "a worker does not answer: it is killed");
        process.kill("SIGKILL");
      }
      if (state === "ready" && (report?.rssBytes ?? 0) > maxRssBytes) replace(one);
    }
    watch = clock.after(reportMs, look);
  };
  let watch = clock.after(reportMs, look);

  /** One at a time: a successor takes memory, too; and none that was large from the first. */
  const replace = ({ member: { name }, startedAtMs }: Running) => {
    const isUnderWay = [...running.values()].some(({ member, replaces }) =>
      member.state === "starting" && replaces !== undefined
    );
    const isYoung = clock.now() - startedAtMs < stableMs;
    if (ending || isYoung || isUnderWay || clock.now() < noSuccessorUntilMs) return;
    log.warn({ worker: name }, "a worker takes too much memory: another takes its place");
    onRestart?.("memory");
    launch(name);
  };

  for (let i = 0; i < workers; i++) launch();
  return {
    get members() {
      return [...running.values()].map(({ member, heardAtMs }) => ({
        ...member,
        isLate: clock.now() - heardAtMs > lateMs,
      }));
    },
    started: started.promise,
    take(name, report) {
      const one = running.get(name);
      if (!one) return false;
      const isFirst = one.member.report === undefined;
      one.heardAtMs = clock.now();
      one.member = { ...one.member, report, state: one.member.state === "leaving" ? "leaving" : "ready" };
      const before = one.replaces === undefined ? undefined : running.get(one.replaces);
      if (isFirst && before) leave(before);
      if ([...running.values()].every(({ member }) => member.state === "ready")) started.resolve({});
      return true;
    },
    async drain() {
      ending ??= Promise.withResolvers();
      for (const pause of pauses) pause[Symbol.dispose]();
      pauses.clear();
      for (const one of running.values()) leave(one);
      if (running.size === 0) ending.resolve();
      await ending.promise;
      watch[Symbol.dispose]();
    },
    kill(signal) {
      for (const { process } of running.values()) process.kill(signal);
    },
  };
}
