import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { TurnOptions } from "../../src/turn/state.ts";
import { turnLanguage } from "../../src/turn/languages.ts";
import { unfinishedWords } from "../../src/turn/unfinished.ts";
import { defaults, final, interim, mark, play, reply, speaking, type Step, utterance } from "./play.ts";

/** Nothing is waited for, not even the detector's pause. */
const tuned: TurnOptions = {
  ...defaults,
  endpointing: { minDelayMs: 0, maxDelayMs: 0, words: unfinishedWords(turnLanguage()) },
};
const [fade, swell] = [{ type: "speech-fade" }, { type: "speech-swell" }] as const;
/** The answer to the question for the final words. */
const answer = (text: string) =>
  text === "" ? { ...interim(""), asked: true } : { ...final(text), asked: true };

/** Says `text`; the voice fades at 2,030 ms, of which the detector is sure at 2,090. */
const fading = (text: string): Step[] => [
  [1064, mark("speech-start", 1000)],
  [1800, interim(text)],
  [2030, fade],
];
const pause: Step = [2090, mark("speech-pause", 2000)];

/** The turn that begins at `fromMs`; the voice fades twice before it ends, and is there again at once. */
const withGaps = (fromMs: number, id: string): Step[] => [
  [fromMs + 64, mark("speech-start", fromMs)],
  ...[200, 500].flatMap((ms): Step[] => [
    [fromMs + ms, interim(`word ${ms}`)],
    [fromMs + ms + 100, fade],
    [fromMs + ms + 120, swell],
    [fromMs + ms + 160, answer(`word ${ms}`)],
  ]),
  [fromMs + 800, interim("it is")],
  [fromMs + 1040, mark("speech-pause", fromMs + 1000)],
  [fromMs + 1100, answer("it is")],
  [fromMs + 1200, reply("reply-started", id)],
  [fromMs + 1300, reply("reply-ended", id)],
];
const cases: Record<string, { options?: TurnOptions; steps: Step[]; expected: string[] }> = {
  "the final is asked for once the least delay has passed": {
    steps: [...utterance("what time").slice(0, 3), [2450, answer("what time is it")]],
    expected: ["2350 ask-final", '2450 commit-turn turn-1 "what time is it"'],
  },
  "without a least delay it is asked for as soon as the voice fades": {
    options: tuned,
    steps: [...fading("what time"), pause, [2120, answer("what time is it")]],
    expected: ["2030 ask-final", '2120 commit-turn turn-1 "what time is it"'],
  },
  "a final that is there before the detector has noticed the pause does not end the turn": {
    options: tuned,
    steps: [...fading("what time"), [2070, answer("what time is it")], pause],
    expected: ["2030 ask-final", '2090 commit-turn turn-1 "what time is it"'],
  },
  "where the voice goes on, the turn does: the words that follow are asked for, too": {
    options: tuned,
    steps: [
      ...fading("what time"),
      [2060, swell],
      [2100, answer("what time")],
      [2340, mark("speech-pause", 2300)],
      [2400, answer("is it")],
    ],
    expected: ["2030 ask-final", "2340 ask-final", '2400 commit-turn turn-1 "what time is it"'],
  },
  "a noise after the question: the recognizer has heard nothing in it": {
    options: tuned,
    steps: [
      ...fading("what time"),
      [2060, swell],
      [2100, answer("what time")],
      [2140, mark("speech-pause", 2060)],
      [2200, answer("")],
    ],
    expected: ["2030 ask-final", "2140 ask-final", '2200 commit-turn turn-1 "what time"'],
  },
  "a recognizer that does not answer is not waited for for long": {
    options: tuned,
    steps: [
      ...fading("what time"),
      [2060, swell],
      [2100, answer("what time")],
      [2140, mark("speech-pause", 2060)],
    ],
    expected: ["2030 ask-final", "2140 ask-final", '2460 commit-turn turn-1 "what time"'],
  },
  "words that are not the last are not asked for": {
    options: tuned,
    steps: [...fading("what time and"), [2060, swell], [2300, interim("what time and place")], [
      2440,
      mark("speech-pause", 2400),
    ], [2500, answer("what time and place")]],
    expected: ["2440 ask-final", '2500 commit-turn turn-1 "what time and place"'],
  },
  "it is asked for three times in a turn at the most, and not in the last place because the voice faded": {
    options: tuned,
    steps: [
      [1064, mark("speech-start", 1000)],
      ...[1300, 1600, 1900, 2200].flatMap((atMs, i): Step[] => [
        [atMs, interim(`word ${i}`)],
        [atMs + 100, fade],
        [atMs + 140, swell],
        [atMs + 170, answer(`word ${i}`)],
      ]),
      [2500, interim("the end")],
      [2640, mark("speech-pause", 2600)],
      [2700, answer("the end")],
    ],
    expected: [
      "1400 ask-final",
      "1700 ask-final",
      "2640 ask-final",
      '2700 commit-turn turn-1 "word 0 word 1 word 2 word 3 the end"',
    ],
  },
  "in a call in which the voice goes on each time, it is only asked for when the detector is sure": {
    options: tuned,
    steps: [2000, 4000, 6000, 8000].flatMap((atMs, i) => withGaps(atMs, `turn-${i + 1}`)),
    expected: [
      ...[
        "2300 ask-final",
        "2600 ask-final",
        "3040 ask-final",
        '3100 commit-turn turn-1 "word 200 word 500 it is"',
      ],
      ...[
        "4300 ask-final",
        "4600 ask-final",
        "5040 ask-final",
        '5100 commit-turn turn-2 "word 200 word 500 it is"',
      ],
      ...["7040 ask-final", '7100 commit-turn turn-3 "word 200 word 500 it is"'],
      ...["9040 ask-final", '9100 commit-turn turn-4 "word 200 word 500 it is"'],
    ],
  },
  "a recognizer that ends turns by itself is not asked": {
    options: { ...defaults, detection: "recognizer" },
    steps: [...utterance("what time").slice(0, 3), [2450, final("what time is it")]],
    expected: ['2450 commit-turn turn-1 "what time is it"'],
  },
  "nor is one while the agent speaks": {
    steps: [...speaking, [2064, mark("speech-start", 2000)], [2100, interim("mhm")], [
      2240,
      mark("speech-pause", 2200),
    ]],
    expected: [],
  },
};

describe("the final words are asked for", () => {
  for (const [name, { options, steps, expected }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, options), expected));
  }
});
