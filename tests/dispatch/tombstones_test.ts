import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createTombstones } from "../../src/dispatch/tombstones.ts";
import { fakeClock } from "../fakes/clock.ts";

const ended = (agent: string) => ({ agent, reason: "closed", witnesses: new Set<string>() }) as const;

describe("tombstones", () => {
  it("are of one room and agent, and the last word counts", () => {
    const tombstones = createTombstones({ clock: fakeClock() });
    tombstones.put("RM_1", ended("a"));
    tombstones.put("RM_1", ended("b"));
    tombstones.put("RM_2", ended("a"));
    tombstones.put("RM_1", { ...ended("a"), reason: "deleted" });
    const reasons = () => tombstones.of("RM_1").map(({ agent, reason }) => `${agent} ${reason}`);
    assertEquals(reasons(), ["b closed", "a deleted"]);
    tombstones.clear("RM_1", "a");
    assertEquals(reasons(), ["b closed"]);
    assertEquals(tombstones.of("RM_2").length, 1);
  });

  it("are forgotten after six hours, and when they are more than 2,000 the oldest", async () => {
    const clock = fakeClock();
    const tombstones = createTombstones({ clock });
    for (let i = 0; i <= 2_000; i++) tombstones.put(`RM_${i}`, ended("a"));
    assertEquals([0, 1, 2_000].map((i) => tombstones.of(`RM_${i}`).length), [0, 1, 1]);
    await clock.advance(6 * 60 * 60_000);
    assertEquals(tombstones.of("RM_2000"), []);
    assertEquals(clock.pending, 0);
  });
});
