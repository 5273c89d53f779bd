import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { raceLanguageModels } from "../../src/llm/race.ts";
import { fakeClock } from "../fakes/clock.ts";
import { ask, fails, finish, hangs, played, type Step, text, words } from "./played.ts";

const rows: readonly {
  readonly it: string;
  readonly first: readonly Step[];
  readonly second: readonly Step[];
  readonly said: string;
  readonly lost: readonly string[];
  readonly withinMs: number;
}[] = [
  {
    it: "asks the first alone when it is in time",
    first: [...words("Well, yes."), finish],
    second: [],
    said: "Well, yes.",
    lost: [],
    withinMs: 100,
  },
  {
    it: "takes the next one's answer when that has a clause first",
    first: [text("Well, ", 5_000), finish],
    second: [...words("No, never."), finish],
    said: "No, never.",
    lost: ["first"],
    withinMs: 600,
  },
  {
    it: "takes the first one's answer when that has a clause first after all",
    first: [text("Well, yes. ", 520), finish],
    second: [text("No, ", 1_000), finish],
    said: "Well, yes. ",
    lost: ["second"],
    withinMs: 600,
  },
  {
    it: "is not won by a word that cannot be spoken yet",
    first: [text("Well "), hangs],
    second: [...words("No, never."), finish],
    said: "No, never.",
    lost: ["first"],
    withinMs: 600,
  },
  {
    it: "goes on with the others when one fails",
    first: [fails],
    second: [...words("No."), finish],
    said: "No.",
    lost: [],
    withinMs: 100,
  },
];

describe("models that race each other", () => {
  for (const row of rows) {
    it(row.it, async () => {
      const clock = fakeClock();
      const [first, second] = [played("first", clock, row.first), played("second", clock, row.second)];
      const lost: string[] = [];
      const model = raceLanguageModels([first, second], {
        clock,
        afterMs: 500,
        onLost: ({ model }) => void lost.push(model),
      });
      const { said, events, failure, ms } = await ask(model, clock);
      assertEquals(failure, undefined);
      assertEquals(said, row.said);
      assertEquals(events.at(-1)?.type, "finish");
      assertEquals(lost, row.lost);
      assert(ms <= row.withinMs, `it took ${ms} ms`);
      assertEquals([first.open, second.open, clock.pending], [0, 0, 0]);
    });
  }

  it("fails with the last error when all fail", async () => {
    const clock = fakeClock();
    const model = raceLanguageModels([played("first", clock, [fails]), played("second", clock, [fails])], {
      clock,
    });
    assertEquals(((await ask(model, clock)).failure as StageError).message, "second failed");
  });

  it("asks whoever was late last next time", async () => {
    const clock = fakeClock();
    const first = played("first", clock, [hangs]);
    const second = played("second", clock, [...words("No."), finish]);
    const model = raceLanguageModels([first, second], { clock, afterMs: 500 });
    await ask(model, clock);
    assert((await ask(model, clock)).ms < 100);
    assertEquals(first.requests.length, 1);
  });
});
