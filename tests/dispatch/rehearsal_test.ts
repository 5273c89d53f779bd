/** The call that the server plays to itself before the first. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { loadConfig } from "../../src/config.ts";
import { rehearse } from "../../src/dispatch/rehearsal.ts";
import { createModels } from "../../src/models.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";

const config = loadConfig({});

/** What the log has of a rehearsal. */
async function rehearsed(given: typeof config): Promise<readonly string[]> {
  const log = fakeLog();
  const models = createModels({ clock: fakeClock(), log });
  await rehearse({ config: given, models, log });
  return log.lines.map(({ message, fields }) => `${message}: ${fields.error}`);
}

describe("a rehearsal", () => {
  it("goes from the dispatch to the goodbye without a word, and leaves nothing behind", async () => {
    assertEquals(await rehearsed(config), []);
  });

  it("that fails is told of, and keeps nobody waiting", async () => {
    const broken: typeof config = Object.create(config, {
      endpointing: {
        get() {
          throw new Error("there is no such thing");
        },
      },
    });
    assertEquals(await rehearsed(broken), [
      "the rehearsal failed: Error: The agent could not be sent: the agent failed while it was set up; the server's log says why.",
    ]);
  });
});
