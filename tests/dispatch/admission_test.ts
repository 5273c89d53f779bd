import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AdmissionState, createAdmission, judge, type Limit } from "../../src/dispatch/admission.ts";
import { measureStrain, memoryBytes } from "../../src/dispatch/strain.ts";
import { clockFrom } from "../../src/clock.ts";

const limits = { maxSessions: 10, maxLagMs: 300, maxRssBytes: 400 };
const measured = { ...limits, sessions: 1, lagMs: 0, rssBytes: 100 };

describe("admission", () => {
  const cases: [what: string, given: Partial<typeof measured>, full: Limit | undefined, load?: number][] = [
    ["takes a session when there is little to do", {}, undefined, 0.69 * 0.25],
    ["takes the last session there is a place for", { sessions: 9 }, undefined, 0.69 * 0.9],
    ["has no place left", { sessions: 10 }, "sessions"],
    ["takes one at the limits", { lagMs: 300, rssBytes: 400 }, undefined, 0.69],
    ["is late", { lagMs: 301 }, "lag"],
    ["is large", { rssBytes: 401 }, "memory"],
    ["takes the first session, however late", { sessions: 0, lagMs: 2_000 }, undefined, 0.69],
    ["takes the first session, however large", { sessions: 0, rssBytes: 900 }, undefined, 0.69],
    ["names the number first", { sessions: 10, lagMs: 900, rssBytes: 900 }, "sessions"],
  ];
  for (const [what, given, full, load = 1] of cases) {
    it(what, () => {
      const judgement = judge({ late: false }, { ...measured, ...given });
      assertEquals([judgement.full?.limit, judgement.load], [full, load]);
    });
  }

  /** What it is full with, one after another. */
  const play = (...steps: Partial<typeof measured>[]) => {
    let state: AdmissionState = { late: false };
    return steps.map((step) => {
      const judgement = judge(state, { ...measured, ...step });
      state = judgement.state;
      return judgement.full?.limit;
    });
  };

  it("is late until its lag is half the limit", () => {
    const lags = [290, 310, 290, 160, 150, 160, 290, 301].map((lagMs) => ({ lagMs }));
    assertEquals(play(...lags), [undefined, "lag", "lag", "lag", undefined, undefined, undefined, "lag"]);
  });

  it("holds as many sessions as there were when memory became short, until less is taken", () => {
    const steps: [sessions: number, rssBytes: number, full: Limit | undefined][] = [
      [4, 390, undefined],
      [4, 410, "memory"],
      [3, 410, undefined], // what the fourth had is used again
      [4, 420, "memory"],
      [5, 420, "memory"],
      [4, 385, "memory"],
      [4, 379, undefined],
      [5, 390, undefined],
      [5, 401, "memory"],
      [4, 401, undefined],
    ];
    const given = steps.map(([sessions, rssBytes]) => ({ sessions, rssBytes }));
    assertEquals(play(...given), steps.map(([, , full]) => full));
  });

  it("says what there is too much of", () => {
    const strain = { lagMs: 412.3, maxLagMs: 300, rssBytes: 0, maxRssBytes: 400 * 2 ** 20 };
    const admission = createAdmission({ maxSessions: 3, strain });
    assertEquals(admission(1).full?.reason, "The event loop is late by 412 ms (at most 300)");
    Object.assign(strain, { lagMs: 0, rssBytes: 500 * 2 ** 20 });
    assertEquals(admission(1).full?.reason, "The process takes 500 MB of memory (at most 400)");
    assertEquals(admission(3).full?.reason, "All 3 places are taken");
    assertEquals(admission(3, Infinity).full?.limit, "memory"); // for whom nobody else takes
  });

  it("without measurements counts sessions alone", () => {
    const admission = createAdmission({ maxSessions: 2 });
    assertEquals([admission(1).full, admission(1).load], [undefined, 0.345]);
    assertEquals(admission(2).full?.limit, "sessions");
    assertEquals(admission(2, Infinity).full, undefined);
  });
});

describe("measureStrain", () => {
  it("tells how late timers came in 10 s, but for the rarest, and what memory there is", () => {
    let nowMs = 0;
    let due: (() => void) | undefined;
    const clock = clockFrom(() => nowMs, (ms, callback) => {
      const at = nowMs + ms;
      due = () => (nowMs = Math.max(nowMs, at), callback());
      return () => due = undefined;
    });
    const tick = (times: number, lateMs: number) => {
      for (let n = 0; n < times; n++) {
        nowMs += 50 + lateMs;
        due?.();
      }
    };
    using strain = measureStrain({ maxLagMs: 300, clock });
    nowMs += 5_000; // the start
    assertEquals([due, strain.lagMs], [undefined, 0]);
    tick(198, 1);
    tick(2, 900); // such as two large collections of garbage
    assertEquals(strain.lagMs, 1);
    tick(1, 900);
    assertEquals(strain.lagMs, 900);
    tick(200, 2);
    assertEquals(strain.lagMs, 2);
    assertEquals(strain.maxRssBytes, 0.85 * memoryBytes());
    assertEquals(strain.rssBytes > 10e6 && strain.rssBytes < strain.maxRssBytes, true);
  });

  it("says which permission it lacks", async () => {
    const { href } = new URL("../../src/dispatch/strain.ts", import.meta.url);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        "--no-check",
        `Deno.permissions.revokeSync({name:"sys"}); (await import(${JSON.stringify(href)})).memoryBytes()`,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 1);
    assertMatch(new TextDecoder().decode(stderr), /expected --allow-sys=systemMemoryInfo, or MAX_RSS_MB/);
  });
});
