/** What of the user's voice and words pauses the agent, stops it, or lets it go on. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { withoutEcho } from "../../src/turn/echo.ts";
import { turnLanguage } from "../../src/turn/languages.ts";
import { phrases } from "../../src/turn/phrases.ts";
import type { TurnOptions } from "../../src/turn/state.ts";
import {
  final,
  interim,
  mark,
  play,
  reply,
  speaking,
  type Step,
  utterance,
  withInterruption,
} from "./play.ts";

const english = turnLanguage("en");
const lists = { backchannels: phrases(english.backchannels), stopWords: phrases(english.stopWords) };
const listening = withInterruption(lists);

/** The user says `text` over the agent from 2,000 ms on, for `voiceMs`; the final comes 200 ms after it. */
const over = (text: string, { voiceMs = 600, said }: { voiceMs?: number; said?: string } = {}): Step[] => {
  const endMs = 2000 + voiceMs;
  const heard = said === undefined ? {} : { over: said };
  return [
    ...speaking,
    [2064, mark("speech-start", 2000)],
    [Math.min(2380, endMs), { ...interim(text), ...heard }],
    [endMs + 40, mark("speech-pause", endMs)],
    [endMs + 200, { ...final(text), ...heard }],
    [endMs + 400, mark("speech-end", endMs)],
  ];
};
const paused = "2300 pause-reply say-1";
const resumed = (atMs: number) => [`${atMs} resume-reply say-1`, `${atMs} report-false-interruption say-1`];

const said = "once upon a time there was a king who lived by the sea";
const cases: Record<string, { options?: TurnOptions; steps: Step[]; expected: string[] }> = {
  "what listeners say pauses the agent at the most, and enters the history": {
    steps: over("yeah, okay"),
    expected: [paused, ...resumed(3000), '3600 commit-turn turn-1 "yeah, okay" declined'],
  },
  "what listeners say does not even pause it when it is recognized in time": {
    steps: [...speaking, [2064, mark("speech-start", 2000)], [2200, interim("mhm")], [
      2640,
      mark("speech-pause", 2600),
    ], [2800, final("Mhm.")]],
    expected: ['3600 commit-turn turn-1 "Mhm." declined'],
  },
  "what listeners say just before the agent ends is an answer": {
    steps: [...over("yes"), [3100, reply("reply-ended", "say-1")]],
    expected: [paused, ...resumed(3000), '3100 commit-turn turn-1 "yes"'],
  },
  "more after it is an interruption": {
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [2380, interim("yeah")],
      [2700, interim("yeah but what about")],
      [3040, mark("speech-pause", 3000)],
      [3200, final("yeah but what about Monday")],
    ],
    expected: [
      paused,
      "2700 interrupt-reply say-1",
      '3350 commit-turn turn-1 "yeah but what about Monday"',
    ],
  },
  "without lists every word interrupts": {
    options: withInterruption({}),
    steps: over("yeah"),
    expected: [paused, "2380 interrupt-reply say-1", '2950 commit-turn turn-1 "yeah"'],
  },
  "a stop word interrupts, however short and whatever the minimums": {
    options: withInterruption({ ...lists, minWords: 4, minDurationMs: 1000 }),
    steps: over("no", { voiceMs: 200 }),
    expected: ["2200 pause-reply say-1", "2200 interrupt-reply say-1", '2550 commit-turn turn-1 "no"'],
  },
  "a stop word among others does, too": {
    options: withInterruption({ ...lists, minWords: 4 }),
    steps: over("okay hang on"),
    expected: [
      "2380 pause-reply say-1",
      "2380 interrupt-reply say-1",
      '2950 commit-turn turn-1 "okay hang on"',
    ],
  },
  "a stop word does not stop what cannot be interrupted, and is answered afterwards": {
    options: withInterruption({ ...lists, allowed: false }),
    steps: [...over("stop"), [9000, reply("reply-ended", "say-1")]],
    expected: ['9000 commit-turn turn-1 "stop"'],
  },
  "what listeners say while nothing can be interrupted is not answered": {
    options: withInterruption({ ...lists, allowed: false }),
    steps: [...over("mhm"), [9000, reply("reply-ended", "say-1")]],
    expected: ['3600 commit-turn turn-1 "mhm" declined'],
  },
  "the agent's own words are no interruption and no turn": {
    steps: over("upon a time there", { said }),
    expected: [paused, ...resumed(2380)],
  },
  "with a recognizer's errors, too": {
    steps: over("once upon the time there was a ring", { said }),
    expected: [paused, ...resumed(2380)],
  },
  "after an echo, a voice without words does not pause the agent again": {
    steps: [
      ...over("upon a time there", { said }),
      [4064, mark("speech-start", 4000)],
      [4840, mark("speech-pause", 4800)],
    ],
    expected: [paused, ...resumed(2380)],
  },
  "the user's words in an echo interrupt": {
    steps: [
      ...over("upon a time there", { said }).slice(0, 4),
      [2900, { ...interim("upon a time there was wait please"), over: said }],
    ],
    expected: [
      paused,
      ...resumed(2380),
      "2900 pause-reply say-1",
      "2900 interrupt-reply say-1",
      '5900 commit-turn turn-1 "wait please"',
    ],
  },
  "a stop word that the agent has just said is the user's all the same": {
    steps: over("stop", { voiceMs: 300, said: "the next stop" }),
    expected: ["2300 pause-reply say-1", "2300 interrupt-reply say-1", '2650 commit-turn turn-1 "stop"'],
  },
  "the end of an echo comes after the agent's end and is no turn": {
    steps: [
      ...over("lived by the sea", { said }).slice(0, -3),
      [2500, reply("reply-ended", "say-1")],
      [2640, mark("speech-pause", 2600)],
      [2800, { ...final("who lived by the sea"), over: said }],
    ],
    expected: [paused, ...resumed(2380)],
  },
  "the agent's last word is an answer when the user goes on after its end": {
    steps: [
      [900, reply("reply-begun", "say-1")],
      [1000, reply("reply-started", "say-1")],
      [1264, mark("speech-start", 1200)],
      [1300, reply("reply-ended", "say-1")],
      [2040, mark("speech-pause", 2000)],
      [2200, { ...final("coffee"), over: "tea or coffee" }],
    ],
    expected: ['2350 commit-turn turn-1 "coffee"'],
  },
  "what is said after the agent's end is an answer, whatever the words": {
    steps: [
      [900, reply("reply-begun", "say-1")],
      [1000, reply("reply-started", "say-1")],
      [1300, reply("reply-ended", "say-1")],
      [1464, mark("speech-start", 1400)],
      [1740, mark("speech-pause", 1700)],
      [1900, { ...final("tea or coffee"), over: "tea or coffee" }],
    ],
    expected: ['2050 commit-turn turn-1 "tea or coffee"'],
  },
  "what listeners say does not supersede an answer that nobody has heard": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [2900, interim("mhm")],
      [2940, mark("speech-pause", 2900)],
      [3100, final("mhm")],
      [3310, reply("reply-started", "turn-1")],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3300 resume-reply turn-1",
      '3900 commit-turn turn-2 "mhm" declined',
    ],
  },
};

describe("over the agent's speech", () => {
  for (const [name, { options = listening, steps, expected }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, options), expected));
  }
});

describe("withoutEcho()", () => {
  const echoes: [heard: string, rest: string][] = [
    ["once upon a time", ""],
    ["Once, upon a time there was a King", ""],
    ["upon the time there was a king who", ""],
    ["there was a king who lived by the season", ""],
    ["time", "time"], // said long before
    ["sea", ""],
    ["the sea", ""],
    ["the castle", "the castle"],
    ["what time is it", "what time is it"],
    ["once upon a time stop", "stop"],
    ["once upon a time there was no stop", "no stop"],
    ["by the sea and what about Monday", "and what about Monday"],
    ["I would like a time", "I would like a time"],
    ["", ""],
  ];
  for (const [heard, rest] of echoes) {
    it(`"${heard}" → "${rest}"`, () => assertEquals(withoutEcho(heard, said, lists.stopWords).text, rest));
  }
});

describe("phrases()", () => {
  const { backchannels, stopWords } = lists;
  it("finds what is made of them alone", () => {
    for (const text of ["Mhm.", "yeah", "Yeah, yeah!", "uh huh", "Okay, I see.", "mm-hmm"]) {
      assert(backchannels.isAll(text), text);
    }
    for (const text of ["", "okay but", "I", "see", "what"]) assert(!backchannels.isAll(text), text);
  });
  it("finds them among others, as whole words", () => {
    for (const text of ["Stop!", "okay, wait", "please hold on a bit", "No."]) {
      assert(stopWords.isIn(text), text);
    }
    for (const text of ["", "I know", "nonstop", "hold", "waiter"]) assert(!stopWords.isIn(text), text);
  });
});
