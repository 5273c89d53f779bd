/** What an agent in a LiveKit room shows of itself. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { attributePublisher, type Attributes } from "../../src/room/livekit/attributes.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";

const behalf = "lk.publish_on_behalf";
const state = "lk.agent.state";

/** A room whose server takes `ms` for each update. */
function world({ ms = 100 } = {}) {
  const clock = fakeClock();
  const updates: Attributes[] = [];
  const { show, showAgain } = attributePublisher({
    async set(attributes) {
      updates.push(attributes);
      await clock.sleep(ms);
      if (attributes[state] === "failed") throw new Error("the server does not like it");
    },
    clock,
    log: silentLog,
  });
  return { clock, updates, show, showAgain };
}

describe("the agent's attributes", () => {
  it("are sent one update at a time, without what was overtaken, and not again", async () => {
    const { clock, updates, show } = world();
    for (const value of ["initializing", "listening", "thinking", "speaking"]) {
      void show({ [state]: value });
      await clock.advance(40);
    }
    await clock.advance(1_000);
    void show({ [state]: "speaking" });
    await clock.advance(1_000);
    assertEquals(updates, [{ [state]: "listening" }, { [state]: "speaking" }]);
  });

  it("are sent by the time that is told", async () => {
    const { clock, updates, show } = world();
    let isShown = false;
    void show({ [state]: "listening" });
    void show({ [behalf]: "" }).then(() => isShown = true);
    await clock.advance(99);
    assertEquals(isShown, false);
    await clock.advance(1);
    assertEquals([isShown, updates], [true, [{ [state]: "listening", [behalf]: "" }]]);
  });

  it("are sent again when the agent has joined anew, with what its token says", async () => {
    const { clock, updates, show, showAgain } = world();
    showAgain();
    await clock.advance(200);
    assertEquals(updates, []); // a token hides who is not to be seen yet
    void show({ [behalf]: "" });
    void show({ [state]: "listening" });
    await clock.advance(200);
    showAgain();
    await clock.advance(200);
    assertEquals(updates.slice(1), [{ [behalf]: "", [state]: "listening" }]);
  });

  it("are sent also behind an update that failed", async () => {
    const { clock, updates, show } = world();
    void show({ [state]: "failed" });
    await clock.advance(50);
    void show({ [behalf]: "" });
    await clock.advance(200);
    assertEquals(updates, [{ [state]: "failed" }, { [behalf]: "" }]);
  });
});
