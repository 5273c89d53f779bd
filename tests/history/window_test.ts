/** What of a history the model is told. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { messagesFrom, type PromptItem } from "../../src/history.ts";
import { windowOf } from "../../src/history/window.ts";
import { wireMessages } from "../../src/llm/openai.ts";
import { refusalOf } from "../emulators/openai_requests.ts";

const user = (text: string): PromptItem => ({ role: "user", text });
const agent = (text: string): PromptItem => ({ role: "assistant", text });
const call = (id: string): PromptItem => ({ type: "tool-call", call: { id, name: "look", arguments: {} } });
const result = (callId: string): PromptItem => ({ type: "tool-result", callId, content: `of ${callId}` });

/** An item in a word. */
const short = (item: PromptItem): string =>
  item.type === "tool-call"
    ? `(${item.call.id}`
    : item.type === "tool-result"
    ? `${item.callId})`
    : item.text;

describe("windowOf()", () => {
  const told: [what: string, items: PromptItem[], maxItems: number, expected: string][] = [
    ["all that fits", [user("u1"), agent("a1"), user("u2")], 3, "u1 a1 u2"],
    ["the newest", [user("u1"), agent("a1"), user("u2"), agent("a2")], 3, "a1 u2 a2"],
    ["the user's last words in any case", [user("u1"), agent("a1"), agent("a2"), agent("a3")], 2, "u1 a3"],
    [
      "a call with its result",
      [user("u1"), call("c"), result("c"), agent("a1"), user("u2")],
      5,
      "u1 (c c) a1 u2",
    ],
    [
      "neither, where one does not fit",
      [user("u1"), call("c"), result("c"), agent("a1"), user("u2")],
      4,
      "a1 u2",
    ],
    [
      "no calls without what they were made for",
      [user("u1"), call("c"), result("c"), call("d"), result("d"), agent("a1"), user("u2")],
      6,
      "a1 u2",
    ],
    [
      "a result that came late, with its call",
      [user("u1"), call("c"), agent("a1"), user("u2"), agent("a2"), result("c"), user("u3")],
      5,
      "u1 (c a2 c) u3",
    ],
    [
      "a call that is under way, however long ago it was made",
      [user("u1"), call("c"), agent("a1"), user("u2"), agent("a2"), user("u3")],
      1,
      "u1 (c u3",
    ],
    ["calls that nothing was said before", [call("c"), result("c"), agent("a1")], 3, "(c c) a1"],
    ["no result whose call is gone", [result("c"), user("u1")], 2, "u1"],
  ];
  for (const [what, items, maxItems, expected] of told) {
    it(`tells ${what}`, () => {
      assertEquals(windowOf(items, { maxItems }).map(short).join(" "), expected);
    });
  }

  it("keeps to a number of tokens", () => {
    const items = [user("a long time ago"), agent("really"), user("so it is"), agent("fine"), user("bye")];
    const tokensOf = (item: PromptItem) => short(item).split(" ").length;
    const window = (maxTokens: number) =>
      windowOf(items, { maxItems: 20, maxTokens, tokensOf }).map(short).join(", ");
    assertEquals(window(10), "a long time ago, really, so it is, fine, bye");
    assertEquals(window(9), "really, so it is, fine, bye");
    assertEquals(window(4), "fine, bye");
    assertEquals(window(1), "bye");
  });

  /** Items as a conversation with tools, late results and handed-over agents has them, and as none would. */
  const item = fc.oneof(
    { weight: 3, arbitrary: fc.nat(99).map((n) => user(`u${n}`)) },
    { weight: 3, arbitrary: fc.nat(99).map((n) => agent(`a${n}`)) },
    { weight: 1, arbitrary: fc.nat(99).map((n): PromptItem => ({ role: "system", text: `s${n}` })) },
    { weight: 4, arbitrary: fc.nat(9).map((n) => call(`c${n}`)) },
    { weight: 4, arbitrary: fc.nat(9).map((n) => result(`c${n}`)) },
  );
  const lists = fc.array(item, { maxLength: 60 });

  it("is well formed as OpenAI has it, and has the user's last words, whatever the history and the limits", () => {
    fc.assert(
      fc.property(
        lists,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 80 }),
        (items, maxItems, maxTokens) => {
          const window = windowOf(items, { maxItems, maxTokens, tokensOf: (item) => short(item).length });
          const messages = messagesFrom("Be a test.", window);
          assertEquals(refusalOf({ messages: wireMessages(messages) as never }), undefined);
          const last = items.findLast((item) => "role" in item && item.role === "user");
          if (last) assert(window.includes(last), "the user's last words are not told");
          const begin = items.findIndex((item) => "role" in item);
          const [first] = window.filter((item) => item.type !== "tool-result");
          if (first?.type === "tool-call") {
            assert(
              begin < 0 || items.indexOf(first) < begin,
              "begins with a call",
            );
          }
        },
      ),
      { numRuns: 3_000, seed: 1 },
    );
  });

  it("has no more than it may, but for the user's last words and what was done for them, and no half of a call", () => {
    /** What an exchange consists of: how many tools are used, and whether each result comes before the next call. */
    const exchange = fc.record({ calls: fc.nat(6), inTurn: fc.boolean(), answered: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(exchange, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 40 }),
        (all, maxItems) => {
          const items = all.flatMap(({ calls, inTurn, answered }, n) => {
            const ids = Array.from({ length: calls }, (_, i) => `c${n}-${i}`);
            const done = inTurn
              ? ids.flatMap((id) => [call(id), result(id)])
              : [...ids.map(call), ...ids.map(result)];
            return [user(`u${n}`), ...done, ...(answered && n < all.length - 1 ? [agent(`a${n}`)] : [])];
          });
          const window = windowOf(items, { maxItems });
          const newest = 1 + 2 * all.at(-1)!.calls;
          assert(window.length <= Math.max(maxItems, newest), `${window.length} items`);
          const calls = window.flatMap((item) => item.type === "tool-call" ? [item.call.id] : []);
          const results = window.flatMap((item) => item.type === "tool-result" ? [item.callId] : []);
          assertEquals(calls.toSorted(), results.toSorted());
          assertEquals(
            window,
            items.slice(items.length - window.length),
            "something is left out in the middle",
          );
        },
      ),
      { numRuns: 2_000, seed: 1 },
    );
  });
});
