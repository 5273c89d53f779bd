import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { watchIdle } from "../../src/dispatch/idle.ts";
import { fakeClock } from "../fakes/clock.ts";

function setUp() {
  const clock = fakeClock();
  const state = { busy: false, idleAtMs: [] as number[] };
  const idle = watchIdle({
    idleMs: 60_000,
    isBusy: () => state.busy,
    onIdle: () => state.idleAtMs.push(clock.now()),
    clock,
  });
  return { clock, state, idle };
}

describe("watchIdle()", () => {
  it("tells, once, that nobody has asked for anything", async () => {
    const { clock, state } = setUp();
    await clock.advance(59_000);
    assertEquals(state.idleAtMs, []);
    await clock.advance(600_000);
    assertEquals(state.idleAtMs, [60_000]);
  });

  it("counts from what was asked last, and from the end of what was under way", async () => {
    const { clock, state, idle } = setUp();
    await clock.advance(50_000);
    idle.touch();
    await clock.advance(50_000);
    state.busy = true;
    await clock.advance(300_000);
    assertEquals(state.idleAtMs, []);
    state.busy = false;
    await clock.advance(59_000);
    assertEquals(state.idleAtMs, []);
    await clock.advance(2_000);
    assertEquals(state.idleAtMs.length, 1);
  });

  it("leaves no timer behind", async () => {
    const { clock, state, idle } = setUp();
    idle[Symbol.dispose]();
    await clock.advance(600_000);
    assertEquals([state.idleAtMs, clock.pending], [[], 0]);
  });
});
