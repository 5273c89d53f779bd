/** What the model is told of what it is not told any more. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { StageError } from "../../src/errors.ts";
import type { PromptItem } from "../../src/history.ts";
import { createSummaryWriter } from "../../src/history/summary.ts";
import type { LanguageModel, Message } from "../../src/llm/llm.ts";
import { fakeClock } from "../fakes/clock.ts";
import { type Answer, scriptedLanguageModel } from "../fakes/providers.ts";

const user = (text: string): PromptItem => ({ role: "user", text });
const notes = (text: string, then?: Answer["then"]): Answer => ({
  text,
  ttftMs: 1_000,
  tokenMs: 0,
  ...(then && { then }),
});

function writer(answers: readonly Answer[], { prompt, llm }: { prompt?: string; llm?: LanguageModel } = {}) {
  const clock = fakeClock();
  const model = scriptedLanguageModel(answers, clock);
  const errors: StageError[] = [];
  const end = new AbortController();
  const summary = createSummaryWriter({
    llm: () => llm ?? model,
    prompt: () => prompt,
    clock,
    signal: end.signal,
    onError: (error) => void errors.push(error),
  });
  return { ...summary, clock, requests: model.requests, errors, end };
}

const asked = (messages: readonly Message[] | undefined) => messages?.at(-1)?.content;

describe("the summary", () => {
  it("is written in the background, of what is new each time, and nobody waits for it", async () => {
    const w = writer([notes("They want a table."), notes("For two.")]);
    const items = ["A table, please.", "For two.", "Tomorrow."].map(user);
    assertEquals(w.about(items.slice(0, 1), items), undefined);
    assertEquals(w.about(items.slice(0, 2), items), undefined);
    await w.clock.advance(1_000);
    assertEquals(w.about(items.slice(0, 2), items), "They want a table.");
    await w.clock.advance(1_000);
    assertEquals(w.about(items.slice(0, 2), items), "For two.");
    assertEquals(w.requests.map(asked), [
      "Old notes:\n(none)\n\nSaid since:\nuser: A table, please.",
      "Old notes:\nThey want a table.\n\nSaid since:\nuser: For two.",
    ]);
    assertMatch(w.requests[0]?.[0]?.content ?? "", /150 words/);
    assertEquals([w.errors, w.clock.pending], [[], 0]);
  });

  it("is of what was done, too, and as it was asked to be", async () => {
    const w = writer([notes("Done.")], { prompt: "In rhymes." });
    const call = { id: "a", name: "look", arguments: { at: "Oslo" } };
    const items: PromptItem[] = [
      user("Look."),
      { type: "tool-call", call },
      { type: "tool-result", callId: "a", content: "Snow." },
    ];
    w.about(items, items);
    await w.clock.advance(1_000);
    assertEquals(w.requests[0]?.[0]?.content, "In rhymes.");
    assertMatch(
      asked(w.requests[0]) ?? "",
      /user: Look\.\nassistant uses look: \{"at":"Oslo"\}\nresult: Snow\.$/,
    );
  });

  it("takes much of it in portions", async () => {
    const w = writer([notes("One."), notes("Two."), notes("Three.")]);
    const items = Array.from({ length: 20 }, (_, i) => user(`${i} `.padEnd(5_000, "x")));
    w.about(items, items);
    await w.clock.advance(10_000);
    assert(w.requests.every((request) => (asked(request)?.length ?? 0) < 25_000));
    assertEquals(w.requests.length, Math.ceil(20 / 6));
    assertEquals(w.about(items, items), "Three.");
  });

  it("is forgotten when what it is about is taken out of the history, also while it is written", async () => {
    const w = writer([notes("A secret."), notes("Another secret."), notes("Nothing.")]);
    const items = ["My PIN is 1234.", "Hello."].map(user);
    w.about(items.slice(0, 1), items);
    await w.clock.advance(1_000);
    w.about(items, items);
    assertEquals(w.about(items.slice(1), items.slice(1)), undefined);
    await w.clock.advance(1_000);
    assertEquals(w.about(items.slice(1), items.slice(1)), undefined);
    await w.clock.advance(1_000);
    assertEquals(w.about(items.slice(1), items.slice(1)), "Nothing.");
    assertEquals(asked(w.requests.at(-1)), "Old notes:\n(none)\n\nSaid since:\nuser: Hello.");
  });

  const failures: [what: string, answer: Answer, expected: RegExp][] = [
    ["fails", notes("", "fail"), /the model failed/],
    ["breaks off", notes("Half a", "die"), /the model failed/],
    ["writes nothing", notes(" "), /the summary is empty/],
    ["hangs", notes("", "hang"), /no summary within 30 s/],
    ["hangs and does not end", notes("", "deaf"), /no summary within 30 s/],
  ];
  for (const [what, answer, expected] of failures) {
    it(`stays as it is when the model ${what}, and is tried again when there is more`, async () => {
      const w = writer([notes("Well."), answer, notes("Better.")]);
      const items = ["One.", "Two.", "Three."].map(user);
      const about = (count: number) => w.about(items.slice(0, count), items);
      about(1);
      await w.clock.advance(1_000);
      about(2);
      await w.clock.advance(30_000);
      assertEquals(w.errors.map(({ message }) => expected.test(message)), [true]);
      assertEquals([about(2), about(2)], ["Well.", "Well."]);
      await w.clock.advance(30_000);
      assertEquals(w.requests.length, 2);
      assertEquals(about(3), "Well.");
      await w.clock.advance(1_000);
      assertEquals(about(3), "Better.");
      assertMatch(asked(w.requests.at(-1)) ?? "", /user: Two\.\nuser: Three\./);
      assertEquals([w.errors.length, w.clock.pending], [1, 0]);
    });
  }

  it("survives a model that throws", async () => {
    const llm: LanguageModel = {
      provider: "p",
      model: "m",
      generate() {
        throw new Error("no such model");
      },
    };
    const w = writer([], { llm });
    const items = [user("One.")];
    assertEquals(w.about(items, items), undefined);
    await w.clock.settle();
    assertEquals(w.errors.map(({ stage, message }) => `${stage}: ${message}`), ["llm: no such model"]);
  });

  it("ends with the session, which is no failure", async () => {
    const w = writer([notes("Well.")]);
    const items = [user("One.")];
    w.about(items, items);
    let idle = false;
    const ended = w.idle().then(() => idle = true);
    await w.clock.settle();
    assertEquals(idle, false);
    w.end.abort();
    await ended;
    assertEquals([w.errors, w.clock.pending, w.about(items, items)], [[], 0, undefined]);
    assertEquals(w.requests.length, 1);
  });
});
