import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { fallbackLanguageModel } from "../../src/llm/fallback.ts";
import { metered } from "../../src/telemetry/usage.ts";
import type { Usage } from "../../src/events.ts";
import { fakeClock } from "../fakes/clock.ts";
import { ask, call, fails, finish, hangs, played, request, type Step, text, words } from "./played.ts";

const good = "It left on Monday. It will be with you soon.";
const rows: readonly {
  readonly it: string;
  readonly first: readonly Step[];
  readonly second?: readonly Step[];
  readonly said: string;
  /** At most, until all was said. */
  readonly withinMs: number;
  readonly second_is_asked: boolean;
}[] = [
  {
    it: "asks the first alone when it answers",
    first: [...words(good), finish],
    said: good,
    withinMs: 300,
    second_is_asked: false,
  },
  {
    it: "asks the next when the first fails",
    first: [fails],
    said: good,
    withinMs: 300,
    second_is_asked: true,
  },
  {
    it: "asks the next when the first does not begin",
    first: [hangs],
    said: good,
    withinMs: 3_300,
    second_is_asked: true,
  },
  {
    it: "goes on with the next when the first dies in its middle",
    first: [...words("It left on "), fails],
    second: [...words("Monday. It will be with you soon."), finish],
    said: good,
    withinMs: 300,
    second_is_asked: true,
  },
  {
    it: "goes on with the next when the first gets stuck, and leaves out what is said again",
    first: [...words("It left on Monday. It "), text("wi"), hangs],
    said: good,
    withinMs: 2_400,
    second_is_asked: true,
  },
  {
    it: "takes a token every 3 s for one that is stuck",
    first: [text("It "), text("left ", 3_000), finish],
    said: good,
    withinMs: 2_400,
    second_is_asked: true,
  },
];

describe("models that stand in for each other", () => {
  for (const row of rows) {
    it(row.it, async () => {
      const clock = fakeClock();
      const first = played("first", clock, row.first);
      const second = played("second", clock, row.second ?? [...words(good), finish]);
      const told: string[] = [];
      const onFallback = (error: StageError) => void told.push(error.message);
      const { said, events, failure, ms } = await ask(
        fallbackLanguageModel([first, second], { clock, onFallback }),
        clock,
      );
      assertEquals(failure, undefined);
      assertEquals(said, row.said);
      assertEquals(events.at(-1)?.type, "finish");
      assert(ms <= row.withinMs, `it took ${ms} ms`);
      assertEquals(second.requests.length, row.second_is_asked ? 1 : 0);
      assertEquals(told.length, row.second_is_asked ? 1 : 0);
      assertEquals([first.open, second.open, clock.pending], [0, 0, 0]);
    });
  }

  it("tells the next what was said, behind the conversation", async () => {
    const clock = fakeClock();
    const first = played("first", clock, [...words("It left "), fails]);
    const second = played("second", clock, [...words("on Monday."), finish]);
    await ask(fallbackLanguageModel([first, second], { clock }), clock);
    const [asked] = second.requests;
    assertEquals(asked?.messages.map(({ role }) => role), ["user", "assistant", "system"]);
    assertEquals(asked?.messages[1], { role: "assistant", content: "It left " });
  });

  it("has tools called once, when the answer that calls them is complete", async () => {
    const clock = fakeClock();
    const first = played("first", clock, [text("Let me look. "), call, fails]);
    const second = played("second", clock, [call, finish]);
    const { events } = await ask(fallbackLanguageModel([first, second], { clock }), clock);
    assertEquals(events.map(({ type }) => type), ["text", "tool-call", "finish"]);
  });

  it("goes back to the first when it may be tried again", async () => {
    const clock = fakeClock();
    const first = played("first", clock, [fails], [...words(good), finish]);
    const second = played("second", clock, [...words("Hm."), finish]);
    const model = fallbackLanguageModel([first, second], { clock });
    assertEquals((await ask(model, clock)).said, "Hm.");
    assertEquals((await ask(model, clock)).said, "Hm.", "it is passed over");
    assertEquals(first.requests.length, 1);
    await clock.advance(10_000);
    assertEquals((await ask(model, clock)).said, good);
  });

  it("fails with the last error when all fail", async () => {
    const clock = fakeClock();
    const model = fallbackLanguageModel([played("first", clock, [fails]), played("second", clock, [fails])], {
      clock,
    });
    const { failure } = await ask(model, clock);
    assertEquals((failure as StageError).message, "second failed");
  });

  it("lets go of everything when it is told to", async () => {
    const clock = fakeClock();
    const first = played("first", clock, [text("It "), hangs]);
    const model = fallbackLanguageModel([first, first], { clock });
    const reader = model.generate(request, { signal: new AbortController().signal }).getReader();
    const read = reader.read();
    await clock.advance(100);
    await read;
    const next = reader.read();
    await reader.cancel();
    await next;
    await clock.settle();
    assertEquals([first.open, clock.pending], [0, 0]);
  });

  it("is counted by who has answered", async () => {
    const clock = fakeClock();
    const usage: Usage[] = [];
    const llm = fallbackLanguageModel([
      played("first", clock, [text("It "), fails]),
      played("second", clock, [...words("left."), finish]),
    ], { clock });
    const counted = metered({ llm, stt: {} as never, tts: {} as never }, (used) => usage.push(used));
    await ask(counted.llm, clock);
    assertEquals(usage.map(({ model, ...more }) => [model, "uncounted" in more]), [["first", true], [
      "second",
      false,
    ]]);
  });
});
