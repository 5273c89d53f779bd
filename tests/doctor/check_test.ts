import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  asText,
  type Check,
  failed,
  isWell,
  ok,
  runChecks,
  skipped,
  warning,
} from "../../src/doctor/check.ts";
import { fakeClock } from "../fakes/clock.ts";

const check = (name: string, run: Check["run"], more: Partial<Check> = {}): Check => ({ name, run, ...more });
const finds = (finding: Awaited<ReturnType<Check["run"]>>) => () => Promise.resolve(finding);

describe("runChecks", () => {
  it("runs them side by side, and tells in their order", async () => {
    const clock = fakeClock();
    const slow = check("slow", () => clock.sleep(4_000).then(() => ok("late")));
    const done = runChecks([slow, slow, check("quick", finds(ok("soon")))], { secrets: [], clock });
    await clock.advance(4_000);
    const found = await done;
    assertEquals(found.map(({ name, text }) => `${name} ${text}`), ["slow late", "slow late", "quick soon"]);
    assertEquals(clock.pending, 0);
  });

  it("gives up on one after 5 s, and says what that means", async () => {
    const clock = fakeClock();
    let signal: AbortSignal | undefined;
    const hangs: Check["run"] = (options) => {
      signal = options.signal;
      return new Promise(() => {});
    };
    const checks = [check("one", hangs), check("other", hangs, { late: "the ports are shut" })];
    const done = runChecks(checks, { secrets: [], clock });
    await clock.advance(4_999);
    assertEquals(signal?.aborted, false);
    await clock.advance(1);
    assertEquals(signal?.aborted, true);
    assertEquals((await done).map(({ status, text }) => `${status}: ${text}`), [
      "failed: no answer within 5 s: a firewall that drops what is sent?",
      "failed: no answer within 5 s: the ports are shut",
    ]);
  });

  it("tries nothing that would fail for a reason that is known", async () => {
    for (
      const [finding, expected] of [[ok("a"), "ok"], [warning("b"), "ok"], [failed("c"), "skipped"]] as const
    ) {
      const checks = [
        check("first", finds(finding)),
        check("second", finds(ok("")), { after: "first" }),
        check("third", finds(ok("")), { after: "second" }),
      ];
      const found = await runChecks(checks, { secrets: [], clock: fakeClock() });
      assertEquals(found.slice(1).map(({ status }) => status), [expected, expected]);
    }
  });

  it("takes what is thrown for a failure, and shows neither secrets nor tokens", async () => {
    const throws = check(
      "throws",
      () => Promise.reject(new Error("key s3cret, token eyJhbGci.eyJpc3M.sig-nature.")),
    );
    const [found] = await runChecks([throws], { secrets: ["s3cret"], clock: fakeClock() });
    assertEquals(found, { name: "throws", status: "failed", text: "key (hidden), token (hidden)." });
  });
});

describe("asText", () => {
  it("has a line for each, and counts what is to be done", () => {
    const checked = [
      { name: "a", ...ok("fine") },
      { name: "livekit", ...failed("one\n  two") },
      { name: "b", ...warning("hm") },
      { name: "c", ...skipped("not tried") },
    ];
    assertEquals(asText(checked).split("\n"), [
      "ok       a        fine",
      "failed   livekit  one two",
      "warning  b        hm",
      "skipped  c        not tried",
      "1 failed, 1 to look at",
    ]);
    assert(!isWell(checked) && isWell(checked.filter(({ status }) => status !== "failed")));
    assertMatch(asText(checked.slice(0, 1)), /0 failed, 0 to look at$/);
  });
});
