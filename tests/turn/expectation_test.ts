import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { answerTo, type Expectation } from "../../src/turn/expectation.ts";
import { turnLanguage } from "../../src/turn/languages.ts";

type Texts = Readonly<Partial<Record<"whole" | "open" | "none", readonly string[]>>>;
const cases: readonly [expected: Expectation, language: string, texts: Texts][] = [
  [{ kind: "phone" }, "en", {
    whole: ["five five five one two three four five six seven", "It's 555-123-4567.", "+1 555 123 4567"],
    open: [
      "five five five",
      "sure it's five five",
      "555 123",
      "Sure.",
      "okay um",
      "triple five one two three",
      "my",
    ],
    none: ["I would rather not tell you.", "what do you need it for?", "which number, one or two?"],
  }],
  [{ kind: "digits", length: 6 }, "en", {
    whole: ["one two three four five six", "123 456", "double one double two double three", "it is 123456."],
    open: ["one two three", "12 34", "yes", "the code is one"],
    none: ["I have not got it", "can you send it again?"],
  }],
  [{ kind: "digits" }, "en", { none: ["one two"] }],
  [{ kind: "email" }, "en", {
    whole: ["joe at example dot com", "joe@example.com", "it's joe dot smith at example dot co dot uk"],
    open: ["joe at example", "joe", "joe at", "joe at example dot", "it's", "sure"],
    none: ["No.", "I do not have one", "do you need it?"],
  }],
  [{ kind: "date" }, "en", {
    whole: ["tomorrow", "next friday.", "march third", "the fourteenth of march", "on May 3", "3/14/2026"],
    open: ["in march", "the third", "um", "march the", "may", "the twenty"],
    none: ["whenever you like", "is march free?"],
  }],
  [{ kind: "date" }, "de", { whole: ["am dritten mai", "übermorgen"], open: ["im mai", "am dritten"] }],
  [{ kind: "date" }, "es", { whole: ["el tres de mayo", "mañana"], open: ["en mayo", "el tres"] }],
  [{ kind: "date" }, "fr", { whole: ["le trois mai", "demain"], open: ["en mai", "le premier"] }],
];

describe("what the agent has asked for", () => {
  for (const [expected, language, texts] of cases) {
    for (const [progress, list] of Object.entries(texts)) {
      for (const text of list) {
        const what = Object.values(expected).join(" ");
        it(`${what}, ${language}: "${text}" is ${progress}`, () =>
          assertEquals(answerTo(expected, text, turnLanguage(language)), progress));
      }
    }
  }
});
