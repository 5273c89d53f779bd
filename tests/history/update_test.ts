/** Histories that the agent's own code changes, and that outlive their session. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHistory, type History, type HistoryItem } from "../../src/history.ts";
import { exportHistory, importHistory } from "../../src/history/transfer.ts";
import type { GivenItem } from "../../src/history/update.ts";
import { fakeClock } from "../fakes/clock.ts";

const call = (id: string) => ({ type: "tool-call", call: { id, name: "look", arguments: { id } } } as const);
const result = (
  callId: string,
  content = "done",
) => ({ type: "tool-result", callId, outcome: "done", content } as const);
const user = { role: "user", text: "Hello." } as const;

/** A history of two sentences, a call that is done and one that is under way, a second apart. */
async function history(): Promise<{ history: History; clock: ReturnType<typeof fakeClock> }> {
  const clock = fakeClock(5_000);
  const history = createHistory(clock, "s");
  const steps = [
    () => history.add({ role: "user", text: "Look.", interrupted: false }),
    () => history.addCall(call("a").call),
    () => history.addResult(result("a")),
    () => history.add({ role: "assistant", text: "Nothing.", interrupted: true }),
    () => history.addCall(call("b").call),
  ];
  for (const step of steps) {
    step();
    await clock.advance(1_000);
  }
  return { history, clock };
}

const brief = (items: readonly HistoryItem[]): string =>
  items.map((item) => {
    const what = item.type === "tool-call"
      ? `(${item.call.id}`
      : item.type === "tool-result"
      ? `${item.callId})`
      : item.text;
    return `${item.id} ${item.atMs} ${what}`;
  }).join(", ");

describe("history.update()", () => {
  it("takes items, or what a function makes of them; those that stay keep their ids and times", async () => {
    const { history: h } = await history();
    const before = [...h.items];
    h.update((items) => items.filter((item) => item.type === undefined));
    assertEquals(brief(h.items), "s-1 0 Look., s-4 3000 Nothing.");
    assert(h.items[0] === before[0]);
    h.update([]);
    assertEquals(h.items, []);
    assertEquals(h.revision, 2);
  });

  it("gives new items ids that nothing else has, and times in order", async () => {
    const { history: h } = await history();
    const note: GivenItem = { role: "system", text: "Be kind." };
    h.update((items) => [note, ...items.slice(0, 1), note, ...items.slice(1), note]);
    assertEquals(
      brief(h.items),
      "s-6 0 Be kind., s-1 0 Look., s-7 1000 Be kind., s-2 1000 (a, s-3 2000 a), s-4 3000 Nothing., s-5 4000 (b, " +
        "s-8 5000 Be kind.",
    );
    h.add({ role: "user", text: "And?", interrupted: false });
    assertEquals(h.items.at(-1)?.id, "s-9");
    h.update([{ ...user, id: "s-10" }]);
    h.add({ role: "user", text: "And?", interrupted: false });
    assertEquals(h.items.map(({ id }) => id), ["s-10", "s-11"]);
  });

  it("lets what is under way land where it belongs", async () => {
    const { history: h, clock } = await history();
    h.update((items) => [...items.slice(-1), { role: "user", text: "Never mind." }]);
    await clock.advance(1_000);
    h.addResult(result("b"));
    h.add({ role: "assistant", text: "As you like.", interrupted: false, atMs: 9_500 });
    assertEquals(brief(h.items), "s-5 4000 (b, s-8 4500 As you like., s-6 5000 Never mind., s-7 6000 b)");
  });

  it("drops the result of a call that was taken out, and keeps one result of a call", async () => {
    const { history: h } = await history();
    h.update((items) => [...items, result("b", "guessed")]);
    h.addResult(result("b", "known"));
    assertEquals(h.items.flatMap((item) => item.type === "tool-result" ? [item.content] : []), [
      "done",
      "known",
    ]);
    h.update([]);
    h.addResult(result("b"));
    assertEquals(h.items, []);
  });

  const refused: [what: string, items: unknown, expected: RegExp][] = [
    ["no array", { items: [] }, /there are no items but object; expected an array/],
    ["no item", [null], /items\[0\] is null; expected an item/],
    [
      "a role there is not",
      [{ role: "tool", text: "Hi." }],
      /items\[0\]\.role is "tool"; expected system, user or assistant/,
    ],
    ["nothing said", [{ role: "user", text: " " }], /items\[0\]\.text is " "; expected text/],
    [
      "an unknown type",
      [{ type: "picture" }],
      /items\[0\]\.type is "picture"; expected message, tool-call or tool-result/,
    ],
    [
      "a call without a name",
      [{ type: "tool-call", call: { id: "x" } }],
      /items\[0\]\.call\.name is undefined; expected text/,
    ],
    [
      "an id twice",
      [{ ...user, id: "x" }, { ...user, id: "x" }],
      /items\[1\] has the id "x", as another item does/,
    ],
    ["a call twice", [call("x"), result("x"), call("x")], /items\[2\] is the call "x" once more/],
    [
      "a result without its call",
      [result("x")],
      /items\[0\] is the result of the call "x", which does not stand before it/,
    ],
    [
      "a result before its call",
      [result("b"), call("b")],
      /items\[0\] is the result of the call "b", which does not/,
    ],
    ["two results", [call("x"), result("x"), result("x")], /items\[2\] is a second result of the call "x"/],
    [
      "a call that nobody has made",
      [user, call("x")],
      /items\[1\] is the call "x", which has no result; expected one/,
    ],
    ["a call whose result was there", [call("a")], /items\[0\] is the call "a", which has no result/],
    [
      "times out of order",
      [{ ...user, atMs: 9 }, { ...user, atMs: 8 }],
      /items\[1\] is of 8 ms, behind one of 9 ms/,
    ],
    [
      "a time to come",
      [{ ...user, atMs: 5_001 }],
      /items\[0\] is of 5001 ms; expected no time to come \(now: 5000 ms\)/,
    ],
  ];
  for (const [what, items, expected] of refused) {
    it(`refuses ${what}, and changes nothing`, async () => {
      const { history: h } = await history();
      const before = [...h.items];
      assertThrows(() => h.update(items as GivenItem[]), expected);
      assertThrows(() => h.update(items as GivenItem[]), /^TypeError: updateHistory\(\): /);
      assertEquals([h.items, h.revision], [before, 0]);
    });
  }
});

describe("exportHistory() and importHistory()", () => {
  it("carry a conversation into another session, where it lies before the beginning", async () => {
    const { history: h, clock } = await history();
    h.addCall({ id: "c", name: "look", arguments: undefined, malformed: "{" });
    h.addResult(result("c"));
    const next = createHistory(clock, "t");
    next.add({ role: "assistant", text: "Welcome back.", interrupted: false });
    const items = importHistory(exportHistory(h.items));
    next.update((there) => [...items, ...there]);
    assertEquals(
      brief(next.items),
      "s-1 -5000 Look., s-2 -4000 (a, s-3 -3000 a), s-4 -2000 Nothing., s-5 -1000 (b, result-of-b -1000 b), s-6 0 (c, " +
        "s-7 0 c), t-1 0 Welcome back.",
    );
    const unknown = next.items.find((item) => item.type === "tool-result" && item.callId === "b");
    assertEquals(unknown?.type === "tool-result" && [unknown.outcome, unknown.content], [
      "cancelled",
      "The conversation ended before this did; whether it was done is not known.",
    ]);
    const malformed = next.items.find((item) => item.type === "tool-call" && item.call.id === "c");
    assertEquals(malformed?.type === "tool-call" && malformed.call.malformed, "{");
    // Once more: it stays as it is, but for its times.
    assertEquals(
      importHistory(exportHistory(next.items)).map(({ atMs: _, ...item }) => item),
      JSON.parse(exportHistory(next.items)).items.map(({ atMs: _, ...item }: HistoryItem) => item),
    );
  });

  const text = (items: unknown, more = {}) =>
    JSON.stringify({ format: "repartee-history", version: 1, items, ...more });
  const refused: [what: string, text: string, expected: RegExp][] = [
    [
      "no JSON",
      "{",
      /^TypeError: importHistory\(\): the text is no JSON \(.+\); expected what exportHistory\(\) returns$/,
    ],
    [
      "other JSON",
      '{"items":[]}',
      /importHistory\(\): the text is no history; expected what exportHistory\(\) returns/,
    ],
    [
      "a version there is not yet",
      text([], { version: 2 }),
      /the history is of version 2; expected version 1/,
    ],
    ["a malformed item", text([{ ...user, text: 7 }]), /items\[0\]\.text is 7; expected text/],
    ["an item without a time", text([{ ...user, id: "x" }]), /items\[0\] has no id or no atMs/],
    [
      "a result without its call",
      text([{ ...result("x"), id: "x", atMs: 0 }]),
      /the result of the call "x", which does not/,
    ],
  ];
  for (const [what, given, expected] of refused) {
    it(`refuse ${what}`, () => assertThrows(() => importHistory(given), expected));
  }
});
