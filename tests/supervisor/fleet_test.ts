/** The workers on a clock of the test's, and processes that do what they are told. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Fleet, type FleetOptions, startFleet } from "../../src/supervisor/fleet.ts";
import type { WorkerReport } from "../../src/supervisor/wire.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";

const report: WorkerReport = {
  port: 1,
  rssBytes: 100,
  load: 0,
  takesCalls: true,
  sessions: [],
  about: "",
  warnings: [],
};

/** A fleet of 2, of which each worker that reports does so every second until it ends. */
function world(options: Partial<FleetOptions> = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  /** What happened to processes: `+name`, and `name signal`. */
  const told: string[] = [];
  const exits = new Map<string, (code: number) => void>();
  const reports = new Map<string, WorkerReport>();
  const restarts: string[] = [];
  const fleet: Fleet = startFleet({
    workers: 2,
    spawn(name) {
      told.push(`+${name}`);
      const { promise, resolve } = Promise.withResolvers<number>();
      exits.set(name, resolve);
      return {
        pid: Number(name) + 1_000,
        exit: promise,
        kill: (signal) => void told.push(`${name} ${signal}`),
      };
    },
    onRestart: (why) => void restarts.push(why),
    clock,
    log,
    ...options,
  });
  return {
    fleet,
    log,
    restarts,
    /** Those that report from now on. */
    ready(...names: string[]) {
      for (const name of names) {
        reports.set(name, report);
        fleet.take(name, report);
      }
    },
    grow: (name: string, rssBytes: number) => void reports.set(name, { ...report, rssBytes }),
    silence: (name: string) => void reports.delete(name),
    async end(name: string, code: number) {
      reports.delete(name);
      exits.get(name)?.(code);
      await clock.advance(0);
    },
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 500) {
        for (const [name, latest] of reports) fleet.take(name, latest);
        await clock.advance(Math.min(500, left));
      }
    },
    states: () => fleet.members.map(({ name, state }) => `${name} ${state}`),
    /** What happened since it was asked last. */
    told: () => told.splice(0),
  };
}

describe("the fleet", () => {
  it("starts as many as there are to be, and is there when all are", async () => {
    const all = world();
    assertEquals(all.told(), ["+1", "+2"]);
    let isStarted = false;
    void all.fleet.started.then(() => isStarted = true);
    all.ready("1");
    await all.pass(1_000);
    assertEquals([isStarted, all.states()], [false, ["1 ready", "2 starting"]]);
    all.ready("2");
    assertEquals(await all.fleet.started, {});
    assertEquals(all.fleet.take("3", report), false);
  });

  it("tells of one that ends before all were ready", async () => {
    const all = world();
    all.ready("1");
    await all.end("2", 1);
    assertEquals(await all.fleet.started, { failed: 1 });
  });

  it("starts another at once for one that had run for long, and after longer and longer for those that do not last", async () => {
    const all = world();
    all.ready("1", "2");
    await all.pass(61_000);
    all.told();
    await all.end("1", 137);
    assertEquals(all.told(), ["+3"]);
    const pausesMs: number[] = [];
    for (let name = 3; name < 11; name++) {
      await all.end(String(name), 1);
      let pausedMs = 0;
      while (all.told().length === 0) {
        await all.pass(500);
        pausedMs += 500;
      }
      pausesMs.push(pausedMs);
    }
    assertEquals(pausesMs, [0, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 30_000]);
    assertEquals(all.restarts, Array(9).fill("ended"));
    assertEquals(all.states(), ["2 ready", "11 starting"]);
  });

  it("kills one that is silent for 10 s, and one that is not ready after two minutes", async () => {
    const all = world();
    all.ready("1");
    all.told();
    await all.pass(5_000);
    all.silence("1");
    const late = () => all.fleet.members.filter(({ isLate }) => isLate).map(({ name }) => name);
    await all.pass(2_000);
    assertEquals(late(), ["2"]);
    await all.pass(2_000);
    assertEquals(late(), ["1", "2"]);
    await all.pass(5_000);
    assertEquals(all.told(), []);
    await all.pass(1_000);
    assertEquals(all.told(), ["1 SIGKILL"]);
    await all.end("1", 137);
    all.ready("3");
    await all.pass(104_000);
    assertEquals(all.told(), ["+3"]);
    await all.pass(2_000);
    assertEquals(all.told().at(0), "2 SIGKILL");
  });

  it("replaces one that takes too much memory, which leaves once its successor is ready", async () => {
    const all = world({ maxRssBytes: 1_000 });
    all.ready("1", "2");
    all.told();
    all.grow("1", 1_001);
    all.grow("2", 1_001);
    await all.pass(59_000);
    assertEquals(all.told(), []); // who is too large from the first would be so again
    await all.pass(3_500);
    assertEquals(all.told(), ["+3"]); // one at a time
    all.ready("3");
    assertEquals(all.told(), ["1 SIGTERM"]);
    assertEquals(all.states(), ["1 leaving", "2 ready", "3 ready"]);
    await all.pass(1_000);
    assertEquals(all.told(), ["+4"]);
    all.ready("4");
    await all.end("1", 0);
    await all.end("2", 0);
    await all.pass(60_000);
    assertEquals([all.told(), all.states()], [["2 SIGTERM"], ["3 ready", "4 ready"]]);
    assertEquals(all.restarts, ["memory", "memory"]);
    assertEquals(all.log.lines.filter(({ level }) => level === "error"), []);
  });

  it("keeps one that is too large while its successor cannot be started", async () => {
    const all = world({ maxRssBytes: 1_000 });
    all.ready("1", "2");
    all.told();
    all.grow("1", 1_001);
    await all.pass(61_500);
    await all.end("3", 1);
    await all.pass(55_000);
    assertEquals([all.told(), all.states()], [["+3"], ["1 ready", "2 ready"]]);
    await all.pass(6_000);
    assertEquals(all.told(), ["+4"]);
  });

  it("has all leave, waits for them, and starts none any more", async () => {
    const all = world();
    all.ready("1", "2");
    await all.end("1", 1);
    all.told();
    let isOver = false;
    const drained = all.fleet.drain().then(() => isOver = true);
    await all.pass(500);
    const left = all.fleet.members.map(({ name }) => name);
    assertEquals(all.told(), left.map((name) => `${name} SIGTERM`));
    for (const name of left) {
      assertEquals(isOver, false);
      await all.end(name, 0);
    }
    await drained;
    await all.pass(60_000);
    assertEquals([all.told(), all.fleet.members], [[], []]);
  });
});
