import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { sentenceAt } from "../../src/text/sentences.ts";

const text = "The sea is deep.  It is cold, too! Is it?";
const cases: [characters: number, expected: string | undefined][] = [
  [0, "The sea is deep."],
  [15, "The sea is deep."],
  [16, "It is cold, too!"],
  [20, "It is cold, too!"],
  [34, "Is it?"],
  [text.length, undefined],
];

describe("the sentence behind so much of a text", () => {
  for (const [characters, expected] of cases) {
    it(`is ${JSON.stringify(expected)} behind ${characters} characters`, () => {
      const found = sentenceAt(text, characters);
      assertEquals(found && text.slice(found.start, found.end), expected);
    });
  }
});
