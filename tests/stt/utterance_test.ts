import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createUtterance, type UtterancePiece } from "../../src/stt/utterance.ts";

type Flag = "isFinal" | "endOfTurn" | "asked";

/** A piece about `text` in the milliseconds from `startMs` to `endMs`, its words evenly spread. */
function piece(text: string, startMs: number, endMs: number, ...flags: Flag[]): UtterancePiece {
  const words = text.split(" ").filter(Boolean);
  const eachMs = (endMs - startMs) / words.length;
  return {
    text,
    words: words.map((text, i) => ({
      text,
      startMs: startMs + i * eachMs,
      endMs: startMs + (i + 1) * eachMs,
      confidence: 0.9,
    })),
    confidence: words.length === 1 ? 0.5 : 0.9,
    language: words.length > 0 ? "en" : undefined,
    endMs,
    isFinal: flags.includes("isFinal"),
    endOfTurn: flags.includes("endOfTurn"),
    asked: flags.includes("asked"),
  };
}

const cases: Record<
  string,
  { pieces: UtterancePiece[]; expected: string[]; pending?: boolean }
> = {
  "one piece": {
    pieces: [piece("Hello", 0, 1000), piece("Hello there.", 0, 1400, "isFinal", "endOfTurn")],
    expected: ["interim Hello", "final Hello there."],
  },
  "several pieces, interims in between": {
    pieces: [
      piece("One two", 0, 1000, "isFinal"),
      piece("three", 1000, 1500),
      piece("three four", 1000, 2000, "isFinal"),
      piece("five", 2000, 2500, "isFinal", "endOfTurn"),
    ],
    expected: [
      "interim One two",
      "interim One two three",
      "interim One two three four",
      "final One two three four five",
    ],
  },
  "an end without words of its own": {
    pieces: [piece("One two", 0, 1000, "isFinal"), piece("", 1000, 1500, "isFinal", "endOfTurn")],
    expected: ["interim One two", "final One two"],
  },
  "an end with no words at all": {
    pieces: [piece("", 0, 1000), piece("", 0, 2000, "isFinal", "endOfTurn")],
    expected: ["interim ", "interim "],
  },
  "a piece that turns out to be nothing": {
    pieces: [piece("Uh", 0, 1000), piece("", 0, 1200, "isFinal", "endOfTurn")],
    expected: ["interim Uh", "interim "],
  },
  "words that were asked for": {
    pieces: [piece("Good", 0, 1000), piece("Good day", 0, 1200, "isFinal", "asked")],
    expected: ["interim Good", "final Good day"],
  },
  "the same audio again after it was told": {
    pieces: [
      piece("Good day", 0, 1200, "isFinal", "asked"),
      piece("Good day", 0, 1200, "isFinal", "endOfTurn"),
    ],
    expected: ["final Good day", "interim "],
  },
  "audio that was told in part": {
    pieces: [
      piece("Good day", 0, 1000, "isFinal", "asked"),
      piece("Good day to you", 0, 2000, "isFinal", "endOfTurn"),
    ],
    expected: ["final Good day", "final to you"],
  },
  "one utterance after another": {
    pieces: [
      piece("One.", 0, 1000, "isFinal", "endOfTurn"),
      piece("Two", 1500, 2000),
      piece("Two.", 1500, 2500, "isFinal", "endOfTurn"),
    ],
    expected: ["final One.", "interim Two", "final Two."],
  },
  "words that wait": {
    pieces: [piece("One two", 0, 1000, "isFinal"), piece("three", 1000, 1500)],
    expected: ["interim One two", "interim One two three"],
    pending: true,
  },
};

describe("utterances, piece by piece", () => {
  for (const [name, { pieces, expected, pending = false }] of Object.entries(cases)) {
    it(name, () => {
      const utterance = createUtterance();
      const events = pieces.map((each) => utterance.take(each));
      assertEquals(events.map(({ type, text }) => `${type} ${text}`), expected);
      assertEquals(utterance.pending, pending);
    });
  }

  it("tells confidence, language and word times of the whole utterance", () => {
    const utterance = createUtterance();
    utterance.take(piece("One two", 0, 1000, "isFinal"));
    assertEquals(utterance.take(piece("three.", 1000, 1500, "isFinal", "endOfTurn")), {
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
    utterance.take(piece("One two", 0, 1000, "isFinal"));
    assertEquals(utterance.take(piece("three", 1000, 1500)), {
      type: "interim",
      text: "One two three",
      confidence: 0.5,
    });
  });

  it("tells why it is over: of its own accord, or since it was asked", () => {
    const end = (...flags: Flag[]) => {
      const { type, text: _, ...why } = createUtterance().take(piece("", 0, 1000, ...flags));
      const final = createUtterance().take(piece("Good day", 0, 1000, "isFinal", ...flags));
      return [type, why, final.type, "endOfTurn" in final, "asked" in final];
    };
    assertEquals(end(), ["interim", {}, "interim", false, false]);
    assertEquals(end("endOfTurn"), ["interim", {}, "final", true, false]);
    assertEquals(end("asked"), ["interim", { asked: true }, "final", false, true]);
  });

  it("finishes with the words there are, and does not tell them again", () => {
    const utterance = createUtterance();
    utterance.take(piece("One two", 0, 1000, "isFinal"));
    utterance.take(piece("three", 1000, 1500));
    assertEquals(utterance.finish()?.text, "One two three");
    assertEquals(utterance.finish(), undefined);
    assertEquals(utterance.take(piece("three", 1000, 1600, "isFinal", "endOfTurn")).text, "");
  });
});
