import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createUtterance, resultsSchema } from "../../src/stt/deepgram_results.ts";

type Flag = "is_final" | "speech_final" | "from_finalize";

/** A message about `text` in the seconds from `start` to `end`, its words evenly spread. */
function message(text: string, start: number, end: number, ...flags: Flag[]) {
  const words = text.split(" ").filter(Boolean);
  const each = (end - start) / words.length;
  return resultsSchema.parse({
    type: "Results",
    start,
    duration: end - start,
    ...Object.fromEntries(flags.map((flag) => [flag, true])),
    channel: {
      alternatives: [{
        transcript: text,
        confidence: words.length === 1 ? 0.5 : 0.9,
        languages: words.length > 0 ? ["en"] : [],
        words: words.map((word, i) => ({
          word: word.toLowerCase(),
          punctuated_word: word,
          start: start + i * each,
          end: start + (i + 1) * each,
          confidence: 0.9,
        })),
      }],
    },
  });
}

const cases: Record<
  string,
  { messages: ReturnType<typeof message>[]; expected: string[]; pending?: boolean }
> = {
  "one piece": {
    messages: [message("Hello", 0, 1), message("Hello there.", 0, 1.4, "is_final", "speech_final")],
    expected: ["interim Hello", "final Hello there."],
  },
  "several pieces, interims in between": {
    messages: [
      message("One two", 0, 1, "is_final"),
      message("three", 1, 1.5),
      message("three four", 1, 2, "is_final"),
      message("five", 2, 2.5, "is_final", "speech_final"),
    ],
    expected: [
      "interim One two",
      "interim One two three",
      "interim One two three four",
      "final One two three four five",
    ],
  },
  "a speech_final without words of its own": {
    messages: [message("One two", 0, 1, "is_final"), message("", 1, 1.5, "is_final", "speech_final")],
    expected: ["interim One two", "final One two"],
  },
  "an end with no words at all": {
    messages: [message("", 0, 1), message("", 0, 2, "is_final", "speech_final")],
    expected: ["interim ", "interim "],
  },
  "a piece that turns out to be nothing": {
    messages: [message("Uh", 0, 1), message("", 0, 1.2, "is_final", "speech_final")],
    expected: ["interim Uh", "interim "],
  },
  "the answer to a Finalize": {
    messages: [message("Good", 0, 1), message("Good day", 0, 1.2, "is_final", "from_finalize")],
    expected: ["interim Good", "final Good day"],
  },
  "the same audio again after it was told": {
    messages: [
      message("Good day", 0, 1.2, "is_final", "from_finalize"),
      message("Good day", 0, 1.2, "is_final", "speech_final"),
    ],
    expected: ["final Good day", "interim "],
  },
  "audio that was told in part": {
    messages: [
      message("Good day", 0, 1, "is_final", "from_finalize"),
      message("Good day to you", 0, 2, "is_final", "speech_final"),
    ],
    expected: ["final Good day", "final to you"],
  },
  "one utterance after another": {
    messages: [
      message("One.", 0, 1, "is_final", "speech_final"),
      message("Two", 1.5, 2),
      message("Two.", 1.5, 2.5, "is_final", "speech_final"),
    ],
    expected: ["final One.", "interim Two", "final Two."],
  },
  "words that wait": {
    messages: [message("One two", 0, 1, "is_final"), message("three", 1, 1.5)],
    expected: ["interim One two", "interim One two three"],
    pending: true,
  },
};

describe("Deepgram's results, joined", () => {
  for (const [name, { messages, expected, pending = false }] of Object.entries(cases)) {
    it(name, () => {
      const utterance = createUtterance();
      const events = messages.map((each) => utterance.take(each));
      assertEquals(events.map(({ type, text }) => `${type} ${text}`), expected);
      assertEquals(utterance.pending, pending);
    });
  }

  it("tells confidence, language and word times of the whole utterance", () => {
    const utterance = createUtterance();
    utterance.take(message("One two", 0, 1, "is_final"));
    assertEquals(utterance.take(message("three.", 1, 1.5, "is_final", "speech_final")), {
      type: "final",
      text: "One two three.",
      confidence: 0.5,
      language: "en",
      words: [
        { text: "One", startMs: 0, endMs: 500, confidence: 0.9 },
        { text: "two", startMs: 500, endMs: 1000, confidence: 0.9 },
        { text: "three.", startMs: 1000, endMs: 1500, confidence: 0.9 },
      ],
      endOfTurn: true,
    });
  });

  it("tells with an interim how sure it is of its least sure piece", () => {
    const utterance = createUtterance();
    utterance.take(message("One two", 0, 1, "is_final"));
    assertEquals(utterance.take(message("three", 1, 1.5)), {
      type: "interim",
      text: "One two three",
      confidence: 0.5,
    });
  });

  it("tells the end of a turn by the silence that was heard, not by its own asking", () => {
    const end = (flag: Flag) => createUtterance().take(message("Good day", 0, 1, "is_final", flag));
    assertEquals("endOfTurn" in end("speech_final"), true);
    assertEquals("endOfTurn" in end("from_finalize"), false);
  });

  it("finishes with the words there are, and does not tell them again", () => {
    const utterance = createUtterance();
    utterance.take(message("One two", 0, 1, "is_final"));
    utterance.take(message("three", 1, 1.5));
    assertEquals(utterance.finish()?.text, "One two three");
    assertEquals(utterance.finish(), undefined);
    assertEquals(utterance.take(message("three", 1, 1.6, "is_final", "speech_final")).text, "");
  });
});
