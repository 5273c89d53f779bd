import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { delayFor } from "../../src/turn/end_of_turn.ts";
import { turnLanguage } from "../../src/turn/languages.ts";
import { unfinishedWords } from "../../src/turn/unfinished.ts";

const defaults = { minDelayMs: 350, maxDelayMs: 3000 };
const delay = (words: string, language = "en") =>
  delayFor(unfinishedWords(turnLanguage(language))(words), defaults);

/** Answered after the shortest delay. */
const finished: Record<string, readonly string[]> = {
  en: [
    "What time is it?",
    "what time is it",
    "Where are you from?",
    "where are you from",
    "so what is this for",
    "I think so",
    "Yes.",
    "no",
    "A table for two",
    "a table for two please",
    "I would like a table for two at five thirty",
    "at five",
    "I'd like to come in",
    "It works very well",
    "the number two",
    "two or three",
    "my room number is five one two",
    "My order number is 4512.",
    "my number is five five five one two three four five six seven",
    "my phone number is 555 123 4567",
    "You can reach me at 555-123-4567.",
    "five five five one two three four five six seven",
    "plus one five five five one two three four five six seven",
    "my pin is one two three four",
    "the zip code is nine four one one oh",
    "my email is john at example dot com",
    "my email is john dot smith at example dot co dot uk",
    "john dot smith at gmail dot com",
    "It's john.smith@example.com.",
    "my email is not working",
    "I was at home",
    "on march fifth",
    "the third of May twenty twenty five",
    "I was born on the fifth of June nineteen eighty four",
    "plan b",
    "so am I",
    "Hello there",
    "Stop",
    "",
  ],
  de: ["Wie spät ist es?", "einen Tisch für zwei bitte", "nein danke", "das ist der Punkt."],
  es: ["¿Qué hora es?", "una mesa para dos", "creo que sí"],
  fr: ["Quelle heure est-il ?", "une table pour deux", "c'est ça"],
  ja: ["今何時ですか"],
};

/** Not answered before the longest delay. */
const dictated: Record<string, readonly string[]> = {
  en: [
    "my number is five five five",
    "My number is 555.",
    "my number is five five five one two three four",
    "it's five five five one two",
    "sure, it's 555 123",
    "my phone number is double",
    "my phone number is five double five",
    "my card number is four two four two four two four two",
    "the zip code is nine four one",
    "my pin is one two",
    "my email is john",
    "My email address is john dot smith.",
    "my e-mail is john at",
    "my email is john at example",
    "my email is john at example dot",
    "john dot smith at gmail",
    "john@",
    "it's spelled s m i",
    "S-M-I",
    "J. O. H.",
  ],
  de: ["meine Nummer ist null eins sieben", "meine Telefonnummer lautet null eins"],
  es: ["mi número es seis cinco cinco"],
  fr: ["mon numéro est zéro six"],
};

/** Waited for longer than 700 ms, and less than the longest delay. */
const unfinished: Record<string, readonly string[]> = {
  en: [
    "I would like a table for",
    "I would like a table for.",
    "I want the",
    "my name is",
    "So the problem is",
    "I was thinking, um",
    "Um,",
    "and",
    "I'd like two pizzas and",
    "because",
    "well",
    "I'm",
    "let me think",
    "I would like to",
    "I need",
    "Yesterday,",
    "I went there and then…",
    "the fifth of",
    "can you tell me if",
    "It's kind of",
  ],
  de: ["ich hätte gern", "ich komme am", "und dann ähm", "einen Tisch für"],
  es: ["quisiera una", "mi nombre es", "pero"],
  fr: ["je voudrais", "une table pour", "parce que"],
};

const each = (table: Record<string, readonly string[]>, check: (delayMs: number) => boolean) => {
  for (const [language, texts] of Object.entries(table)) {
    for (const text of texts) {
      it(`${language}: "${text}"`, () => {
        const delayMs = delay(text, language);
        assert(check(delayMs), `waits ${delayMs} ms`);
      });
    }
  }
};

describe("words that are finished do not add to the shortest delay", () =>
  each(finished, (ms) => ms === 350));
describe("what is dictated is waited for until the longest delay", () => each(dictated, (ms) => ms === 3000));
describe("words that are plainly unfinished are waited for", () =>
  each(unfinished, (ms) => ms > 1000 && ms < 3000));

describe("delayFor()", () => {
  const cases: [probability: number | undefined, expected: number][] = [
    [undefined, 350],
    [1, 350],
    [0.5, 350],
    [0.25, 1675],
    [0, 3000],
    [-1, 3000],
  ];
  for (const [probability, expected] of cases) {
    it(`${probability} → ${expected} ms`, () => assertEquals(delayFor(probability, defaults), expected));
  }
  it("never waits less than the shortest delay", () => {
    assertEquals(delayFor(0, { minDelayMs: 500, maxDelayMs: 0 }), 500);
  });
});
