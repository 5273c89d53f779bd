import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Alignment, wordAligner } from "../../src/tts/alignment.ts";

/** 10 ms for each character of `text`. */
function aligned(text: string): Alignment {
  const chars = [...text];
  return {
    chars,
    charStartTimesMs: chars.map((_, i) => i * 10),
    charDurationsMs: chars.map(() => 10),
  };
}

/** What the words of `sent` are timed to by `pieces`, of which each begins where it says. */
function times(sent: readonly string[], pieces: readonly [fromMs: number, text: string][]): string[] {
  const words = wordAligner();
  for (const text of sent) words.sent(text);
  return pieces.flatMap(([fromMs, text]) => words.timed(aligned(text), fromMs))
    .map(({ text, startMs, endMs }) => `${text} ${startMs}-${endMs}`);
}

describe("wordAligner", () => {
  it("times words from where their piece begins", () => {
    assertEquals(times(["Hi you. "], [[500, "Hi you. "]]), ["Hi 500-520", "you. 530-570"]);
  });

  it("joins a word that two pieces share", () => {
    assertEquals(times(["Hello you. "], [[0, "Hel"], [100, "lo you. "]]), ["Hello 0-120", "you. 130-170"]);
  });

  it("parts words where a piece leaves out the space", () => {
    assertEquals(times(["One. ", "Two. "], [[0, "One."], [100, "Two."]]), ["One. 0-40", "Two. 100-140"]);
    assertEquals(times(["One. ", "Two. "], [[0, "One."], [100, " Two."]]), ["One. 0-40", "Two. 110-150"]);
  });

  it("tells no word twice when a text is begun anew", () => {
    const pieces: [number, string][] = [[0, "One two th"], [100, "One two three. "], [300, "Four."]];
    assertEquals(times(["One two three. ", "Four. "], pieces), [
      "One 0-30",
      "two 40-70",
      "three. 80-240",
      "Four. 300-350",
    ]);
  });

  it("tells of other words than were sent, and finds its way again", () => {
    assertEquals(times(["It is $5 now. "], [[0, "It is "], [100, "five dollars now. "]]), [
      "It 0-20",
      "is 30-50",
      "five 100-140",
      "dollars 150-220",
      "now. 230-270",
    ]);
  });

  it("knows when the last of the text is being spoken", () => {
    const words = wordAligner();
    words.sent("One. ");
    words.sent("Two. ");
    words.timed(aligned("One. "), 0);
    assertEquals(words.reachedLast, false);
    words.timed(aligned("T"), 100);
    assertEquals(words.reachedLast, true);
  });

  it("lacks no time where durations are missing", () => {
    const words = wordAligner();
    words.sent("Hi ");
    const alignment = { chars: ["H", "i"], charStartTimesMs: [0, 10], charDurationsMs: [] };
    assertEquals(words.timed(alignment, 5), [{ text: "Hi", startMs: 5, endMs: 15 }]);
  });
});
