/** A worker that reports to a supervisor of the test's. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../src/clock.ts";
import { memoryStore } from "../../src/dispatch/store/memory.ts";
import { supervisorIn, tellWorker } from "../../src/environment.ts";
import { serveWorkers } from "../../src/supervisor/endpoint.ts";
import { ownClaims } from "../../src/supervisor/owned.ts";
import { joinSupervisor } from "../../src/supervisor/supervised.ts";
import type { WorkerReport } from "../../src/supervisor/wire.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog, silentLog } from "../fakes/log.ts";

const stands: WorkerReport = {
  port: 4711,
  rssBytes: 2 ** 20,
  load: 0.5,
  takesCalls: true,
  sessions: [{ sessionId: "session_1", room: "room" }],
  about: "the agent",
  warnings: ["one"],
};

describe("a worker", () => {
  it("reports to its supervisor, and shares a store there; with the token alone", async () => {
    const reports: unknown[] = [];
    const told = Promise.withResolvers<void>();
    const claims = ownClaims(memoryStore({ clock: systemClock }), { log: silentLog });
    await using endpoint = serveWorkers({
      token: "secret",
      store: claims.of,
      take(name, report) {
        reports.push([name, report]);
        told.resolve();
        return true;
      },
      log: silentLog,
    });
    const address = { port: endpoint.port, token: "secret", worker: "3" };
    assertEquals(supervisorIn(tellWorker(address)), address);
    assertEquals(supervisorIn({}), undefined);
    const own = { clock: systemClock, log: silentLog };
    using worker = joinSupervisor(address, own);
    using other = joinSupervisor({ ...address, worker: "4" }, own);
    using _ = worker.report(() => stands, () => {});
    await told.promise;
    assertEquals(reports, [["3", stands]]);
    assertEquals(await worker.store.set("note:a", "1", { ttlMs: 1_000 }), true);
    assertEquals(await other.store.get("note:a"), "1");
    for (const key of ["claim:a", "claim:b", "repair:a"]) await worker.store.take(key, "3", 60_000);
    const { token } = await other.store.take("claim:c", "4", 60_000);
    const { token: left = 0 } = await other.store.read("claim:b") ?? {};
    assertEquals(await other.store.renew("claim:b", left, 60_000), true); // it was left to it
    await claims.lapse("3");
    const held = async (key: string) => (await other.store.read(key))?.token;
    assertEquals(await Promise.all(["claim:a", "claim:b", "claim:c"].map(held)), [undefined, left, token]);
    assert(await held("repair:a") !== undefined); // what was done is done

    const refused = await fetch(`http://127.0.0.1:${endpoint.port}/store`, { method: "POST", body: "{}" });
    assertEquals([refused.status, await refused.text()], [403, ""]);
  });

  it("ends when its supervisor is gone for 5 s, once", async () => {
    const clock = fakeClock();
    const log = fakeLog();
    using worker = joinSupervisor({ port: 9, token: "secret", worker: "1" }, { clock, log });
    let lost = 0;
    using _ = worker.report(() => stands, () => lost++);
    const beganMs = clock.now();
    /** Settles when so many reports have failed: the network is real. */
    const failed = async (times: number) => {
      while (log.lines.filter(({ level }) => level === "debug").length < times) await systemClock.sleep(1);
    };
    for (let times = 1; times <= 6; times++) {
      assertEquals(lost, 0);
      await clock.advance(times === 1 ? 0 : 1_000);
      await failed(times);
    }
    await clock.advance(10_000);
    assertEquals([lost, clock.now() - beganMs], [1, 15_000]);
  });
});
