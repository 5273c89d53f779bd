import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createRateLimit } from "../../routes/rate_limit.ts";
import { fakeClock } from "../fakes/clock.ts";

describe("createRateLimit", () => {
  it("grants a burst, then so many a second, each key its own", async () => {
    const clock = fakeClock();
    const take = createRateLimit({ burst: 2, perSecond: 4, clock });
    assertEquals([take("a"), take("a"), take("a"), take("b")], [0, 0, 250, 0]);
    await clock.advance(100);
    assertEquals(take("a"), 150);
    await clock.advance(150);
    assertEquals([take("a"), take("a")], [0, 250]);
    await clock.advance(60_000);
    assertEquals([take("a"), take("a"), take("a")], [0, 0, 250]);
  });

  it("forgets the key that was not seen for longest", () => {
    const take = createRateLimit({ burst: 1, perSecond: 1, maxKeys: 2, clock: fakeClock() });
    assertEquals([take("a"), take("b"), take("a")], [0, 0, 1000]);
    assertEquals(take("c"), 0); // forgets b
    assertEquals([take("a"), take("b")], [1000, 0]);
  });
});
