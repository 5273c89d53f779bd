/** Words that the recognizer is not sure of, over the agent's speech and without it. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { turnLanguage } from "../../src/turn/languages.ts";
import { phrases } from "../../src/turn/phrases.ts";
import { final, interim, mark, play, reply, speaking, type Step, withInterruption } from "./play.ts";

const english = turnLanguage("en");
const options = withInterruption({
  backchannels: phrases(english.backchannels),
  stopWords: phrases(english.stopWords),
});

/** A voice from 2,000 to 2,600 ms; the interim has `sure[0]` of confidence, the final `sure[1]`. */
const over = (text: string, ...sure: [interim: number, final: number]): Step[] => [
  ...speaking,
  [2064, mark("speech-start", 2000)],
  [2380, { ...interim(text), confidence: sure[0] }],
  [2640, mark("speech-pause", 2600)],
  [2800, { ...final(text), confidence: sure[1] }],
  [3000, mark("speech-end", 2600)],
];
const cut = ["2300 pause-reply say-1", "2380 interrupt-reply say-1"];
const goesOn = [
  "2300 pause-reply say-1",
  "3000 resume-reply say-1",
  "3000 report-false-interruption say-1",
];

const cases: Record<string, { steps: Step[]; expected: string[] }> = {
  "guessed words pause the agent at the most, and are not answered": {
    steps: over("what they knew", 0.2, 0.39),
    expected: [...goesOn, '3600 commit-turn turn-1 "what they knew" declined'],
  },
  "words that turn out to be sure interrupt": {
    steps: over("what they knew", 0.2, 0.4),
    expected: [
      "2300 pause-reply say-1",
      "2800 interrupt-reply say-1",
      '2950 commit-turn turn-1 "what they knew"',
    ],
  },
  "words that were sure once do": {
    steps: over("what they knew", 0.9, 0.2),
    expected: [...cut, '2950 commit-turn turn-1 "what they knew"'],
  },
  "a guessed stop word does": {
    steps: over("stop", 0.1, 0.1),
    expected: [...cut, '2950 commit-turn turn-1 "stop"'],
  },
  "guessed words are answered where the agent is silent": {
    steps: [...over("what they knew", 0.2, 0.2).slice(0, -1), [2810, reply("reply-ended", "say-1")]],
    expected: ["2300 pause-reply say-1", '2950 commit-turn turn-1 "what they knew"'],
  },
  "a guess is forgotten with its turn": {
    steps: [
      ...over("what they knew", 0.2, 0.2),
      [4064, mark("speech-start", 4000)],
      [4380, { ...interim("a table please"), confidence: 0.9 }],
      [4640, mark("speech-pause", 4600)],
      [4800, final("a table please")],
    ],
    expected: [
      ...goesOn,
      '3600 commit-turn turn-1 "what they knew" declined',
      "4300 pause-reply say-1",
      "4380 interrupt-reply say-1",
      '4950 commit-turn turn-2 "a table please"',
    ],
  },
};

describe("guessed words", () => {
  for (const [name, { steps, expected }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, options), expected));
  }
});
