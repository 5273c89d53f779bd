import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { watchdog } from "../src/watchdog.ts";
import { fakeClock } from "./fakes/clock.ts";

describe("a watchdog", () => {
  it("barks when its time has come, however often that was moved, and once", async () => {
    const clock = fakeClock();
    const barks: number[] = [];
    let dueMs = 5_000;
    watchdog({ clock, dueMs: () => dueMs, onStall: () => barks.push(clock.now()) });
    await clock.advance(4_999);
    dueMs = 9_000;
    await clock.advance(1_000);
    dueMs = 6_500; // nearer again
    await clock.advance(10_000);
    assertEquals([barks.length, barks[0]! >= 6_500 && barks[0]! <= 7_500], [1, true]);
    assertEquals(clock.pending, 0);
  });

  it("is silent once it is disposed", async () => {
    const clock = fakeClock();
    let barks = 0;
    watchdog({ clock, dueMs: () => 100, onStall: () => barks++ })[Symbol.dispose]();
    await clock.advance(1_000);
    assertEquals([barks, clock.pending], [0, 0]);
  });
});
