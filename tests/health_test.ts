import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHealth } from "../src/health.ts";
import { fakeClock } from "./fakes/clock.ts";

const start = (members = 3, firstResultMs?: number) => {
  const clock = fakeClock();
  return { clock, health: createHealth({ members, clock, firstResultMs }) };
};

describe("the health of those that stand in for each other", () => {
  it("tries them as given, and whoever has failed after the others", async () => {
    const { clock, health } = start();
    assertEquals(health.order(), [0, 1, 2]);
    health.failed(0);
    assertEquals(health.order(), [1, 2, 0]);
    await clock.advance(1_000);
    health.failed(1);
    assertEquals(health.order(), [2, 0, 1], "who failed first is tried before who failed last");
    assertEquals(health.isBetterThan(2), false);
    await clock.advance(9_000);
    assertEquals(health.order(), [0, 2, 1], "the first may be tried again");
    assertEquals(health.isBetterThan(2), true);
  });

  it("lets one rest longer each time it fails, up to five minutes, until it answers", async () => {
    const { clock, health } = start(2);
    for (const restMs of [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      health.failed(0);
      await clock.advance(restMs - 1);
      assertEquals(health.order(), [1, 0]);
      await clock.advance(1);
      assertEquals(health.order(), [0, 1]);
    }
    health.answered(0, 100);
    health.failed(0);
    await clock.advance(10_000);
    assertEquals(health.order(), [0, 1]);
  });

  it("learns from each how long a first result takes", () => {
    const { health } = start(2);
    assertEquals(health.patienceMs(0), 3_000, "little is known");
    for (let ms = 100; ms < 2_100; ms += 100) health.answered(0, ms);
    assertEquals(health.patienceMs(0), 1_900 * 1.5, "95 in 100, and half as much again");
    assertEquals(health.patienceMs(1), 3_000);
    for (let i = 0; i < 50; i++) health.answered(1, 10);
    assertEquals(health.patienceMs(1), 500, "the least");
    for (let i = 0; i < 50; i++) health.answered(1, 60_000);
    assertEquals(health.patienceMs(1), 5_000, "the most");
    assertEquals(start(1, 700).health.patienceMs(0), 700, "as given");
  });
});
