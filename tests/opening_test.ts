import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { opened, openingOf } from "../src/opening.ts";
import type { Job } from "../src/replies.ts";
import type { SpeechResult } from "../src/voice_session.ts";

/** Two jobs that open and one that does not, and what becomes of them. */
function setUp() {
  const settled: Record<string, SpeechResult> = {};
  const job = (id: string, opens?: string): Job => ({
    id,
    words: () => ReadableStream.from([]),
    author: "agent",
    priority: "normal",
    interruptible: true,
    addToHistory: true,
    recovery: false,
    opens,
    settle: (result) => void (settled[id] = result),
  });
  const taken: string[] = [];
  const waiting = [job("a", "Hello."), job("b"), job("c", "This is sales.")];
  return { opening: openingOf(waiting, { take: ({ id }) => void taken.push(id) })!, taken, settled };
}

describe("an opening", () => {
  it("is what opens of what waits, and is taken out of the line", () => {
    const { opening, taken } = setUp();
    assertEquals(opening.text, "Hello. This is sales.");
    opening.take();
    assertEquals(taken, ["a", "c"]);
    assertEquals(openingOf([], { take() {} }), undefined);
  });

  const cases: [heard: string, ofA: SpeechResult, ofC: SpeechResult][] = [
    ["", { text: "", interrupted: true }, { text: "", interrupted: true }],
    ["Hel", { text: "Hel", interrupted: true }, { text: "", interrupted: true }],
    ["Hello. This", { text: "Hello.", interrupted: false }, { text: "This", interrupted: true }],
    ["Hello. This is sales. Red ones", { text: "Hello.", interrupted: false }, {
      text: "This is sales.",
      interrupted: false,
    }],
  ];
  for (const [heard, ofA, ofC] of cases) {
    it(`was heard as far as the answer was: ${JSON.stringify(heard)}`, () => {
      const { opening, settled } = setUp();
      opening.settle({ text: heard, interrupted: true });
      assertEquals(settled, { a: ofA, c: ofC });
    });
  }

  it("comes before the words of the answer, though these are late or fail", async () => {
    const { opening } = setUp();
    const words = () => new ReadableStream<string>({ pull: (out) => out.error("deaf") });
    const reader = opened(opening, words)(new AbortController().signal).getReader();
    assertEquals((await reader.read()).value, "Hello. This is sales. ");
    assertEquals(await reader.read().catch((error) => error), "deaf");
  });
});
