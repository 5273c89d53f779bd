import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type TextFilter, wholeWords, withoutRepeats } from "../../src/llm/continuation.ts";

/** What a filter passes on of `text`, however it is cut into pieces. */
function passed(filter: () => TextFilter, text: string): string {
  const results = [1, 3, 7, text.length || 1].map((size) => {
    const { take, end } = filter();
    const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
    return pieces.map((piece) => take(piece)).join("") + end();
  });
  assertEquals([...new Set(results)].length, 1, `it depends on the pieces: ${JSON.stringify(results)}`);
  return results[0] ?? "";
}

describe("going on after an answer that broke off", () => {
  const said = "Your order left on Monday, and it will ";
  const rows: readonly [what: string, continuation: string, passedOn: string][] = [
    ["goes on", "be with you in two days.", "be with you in two days."],
    ["repeats the last word", "will be with you.", "be with you."],
    ["repeats the last words, cased and punctuated otherwise", "And it will be with you.", "be with you."],
    ["begins anew", "Your order left on Monday, and it will be with you.", "be with you."],
    ["begins anew, and ends early", "Your order left on Monday.", ""],
    ["begins alike, and is another answer", "Your order is late.", "Your order is late."],
    ["is empty", "", ""],
  ];
  for (const [what, continuation, expected] of rows) {
    it(what, () => assertEquals(passed(() => withoutRepeats(said), continuation), expected));
  }

  it("takes a short word for the next one, not for a repeat", () => {
    assertEquals(passed(() => withoutRepeats("It is a "), "a b c."), "a b c.");
  });

  it("passes on whole words", () => {
    const filter = wholeWords();
    assertEquals(["Won", "der", "ful, re", "ally ", "so"].map((text) => filter.take(text)), [
      "",
      "",
      "Wonderful, ",
      "really ",
      "",
    ]);
    assertEquals(filter.end(), "so");
  });
});
