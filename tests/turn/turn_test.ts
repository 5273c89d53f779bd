import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { TurnOptions } from "../../src/turn/state.ts";
import {
  defaults,
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

const cases: Record<string, { options?: TurnOptions; steps: Step[]; expected: string[] }> = {
  "a turn ends the least delay after the last voiced sample": {
    steps: utterance("what time is it"),
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "a final that comes late ends the turn at once": {
    steps: [...utterance("").filter(([, { type }]) => type.startsWith("speech")), [
      2700,
      final("what time is it"),
    ]],
    expected: ['2700 commit-turn turn-1 "what time is it"'],
  },
  "without a final, the turn ends after the longest delay with the words there are": {
    steps: utterance("what time").filter(([, { type }]) => type !== "transcript-final"),
    expected: ["2350 ask-final", '5000 commit-turn turn-1 "what time"'],
  },
  "words that are not final are waited for, however short the longest delay": {
    options: { ...defaults, endpointing: { minDelayMs: 0, maxDelayMs: 0 } },
    steps: utterance("what time").filter(([, { type }]) => type !== "transcript-final"),
    expected: ["2040 ask-final", '3000 commit-turn turn-1 "what time"'],
  },
  "without a least delay a final ends the turn": {
    options: { ...defaults, endpointing: { minDelayMs: 0, maxDelayMs: 0 } },
    steps: utterance("what time"),
    expected: ["2040 ask-final", '2200 commit-turn turn-1 "what time"'],
  },
  "a final for words that were committed as interim is not a second turn": {
    steps: [
      ...utterance("what time").filter(([, { type }]) => type !== "transcript-final"),
      [5100, reply("reply-started", "turn-1")],
      [5200, final("What time?")],
      [6000, reply("reply-ended", "turn-1")],
    ],
    expected: ["2350 ask-final", '5000 commit-turn turn-1 "what time"'],
  },
  "a final that comes twice is one turn": {
    steps: [...utterance("what time is it"), [2300, final("What time is it?")]],
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "a final that comes again after the commit is one turn": {
    steps: [...utterance("what time is it"), [2400, final("What time is it?")]],
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "the same word said again is another turn": {
    steps: [
      ...utterance("yes"),
      [3000, reply("reply-started", "turn-1")],
      [3500, reply("reply-ended", "turn-1")],
      [4064, mark("speech-start", 4000)],
      [4340, mark("speech-pause", 4300)],
      [4500, final("yes")],
      [4560, mark("speech-end", 4300)],
    ],
    expected: ['2350 commit-turn turn-1 "yes"', '4650 commit-turn turn-2 "yes"'],
  },
  "a pause shorter than the least delay does not end the turn": {
    steps: [
      ...utterance("I would like").slice(0, 4),
      [2240, mark("speech-resume", 2230)],
      [2900, interim("a table")],
      [3040, mark("speech-pause", 3000)],
      [3200, final("a table")],
    ],
    expected: ['3350 commit-turn turn-1 "I would like a table"'],
  },
  "words that the voice detector missed are a turn": {
    steps: [[1000, interim("hm")], [1200, final("hm yes")]],
    expected: ['1550 commit-turn turn-1 "hm yes"'],
  },
  "a voice without words is no turn": {
    steps: utterance("").filter(([, { type }]) => type.startsWith("speech")),
    expected: [],
  },
  "speech over the agent pauses it after the least duration, and words end it": {
    steps: [...speaking, [2064, mark("speech-start", 2000)], [2600, interim("stop")]],
    expected: [
      "2300 pause-reply say-1",
      "2600 interrupt-reply say-1",
      '5600 commit-turn turn-1 "stop"', // the voice goes on without more words
    ],
  },
  "speech shorter than the least duration does nothing": {
    steps: [...speaking, [2064, mark("speech-start", 2000)], [2240, mark("speech-pause", 2200)]],
    expected: [],
  },
  "no words within 2 s: the agent goes on, and the same noise does not stop it again": {
    steps: [...speaking, [2064, mark("speech-start", 2000)]],
    expected: ["2300 pause-reply say-1", "4300 resume-reply say-1", "4300 report-false-interruption say-1"],
  },
  "words that come later still end it": {
    steps: [...speaking, [2064, mark("speech-start", 2000)], [5000, interim("I said stop")]],
    expected: [
      "2300 pause-reply say-1",
      "4300 resume-reply say-1",
      "4300 report-false-interruption say-1",
      "5000 pause-reply say-1",
      "5000 interrupt-reply say-1",
      '8000 commit-turn turn-1 "I said stop"',
    ],
  },
  "duration AND words: too few words do not interrupt, are kept and not answered": {
    options: withInterruption({ minWords: 2 }),
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [2640, mark("speech-pause", 2600)],
      [2700, final("yeah")],
    ],
    expected: ['3600 commit-turn turn-1 "yeah" declined'],
  },
  "duration AND words: enough words interrupt, also when they come after the voice": {
    options: withInterruption({ minWords: 2 }),
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [2640, mark("speech-pause", 2600)],
      [2700, interim("no stop")],
    ],
    expected: [
      "2700 pause-reply say-1",
      "2700 interrupt-reply say-1",
      "2950 ask-final",
      '5700 commit-turn turn-1 "no stop"',
    ],
  },
  "duration AND words: a short voice does not interrupt, however many words": {
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [2240, mark("speech-pause", 2200)],
      [2400, final("oh no no no")],
    ],
    expected: ['3200 commit-turn turn-1 "oh no no no" declined'],
  },
  "an agent that cannot be interrupted answers afterwards": {
    options: withInterruption({ allowed: false }),
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [2640, mark("speech-pause", 2600)],
      [2800, final("stop it")],
      [9000, reply("reply-ended", "say-1")],
    ],
    expected: ['9000 commit-turn turn-1 "stop it"'],
  },
  "more words before the answer is heard supersede it": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [3000, interim("for two")],
      [3040, mark("speech-pause", 3000)],
      [3200, final("for two")],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3000 interrupt-reply turn-1",
      '3350 commit-turn turn-2 "for two"',
    ],
  },
  "more words that the recognizer takes back: what was said before is answered after all": {
    steps: [
      ...utterance("what time").filter(([, { type }]) => type !== "transcript-final"),
      [5100, interim("what time is")],
      [5200, final("What time?")],
    ],
    expected: [
      "2350 ask-final",
      '5000 commit-turn turn-1 "what time"',
      "5100 interrupt-reply turn-1",
      '5200 commit-turn turn-2 ""',
    ],
  },
  "such words, and a voice: after a while": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [3000, interim("for")],
      [3040, mark("speech-pause", 3000)],
      [3200, final("")],
      [3400, mark("speech-end", 3000)],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3000 interrupt-reply turn-1",
      '4000 commit-turn turn-2 ""',
    ],
  },
  "such words, and then others: those are answered": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [3000, interim("for")],
      [3200, final("")],
      [3500, interim("four people")],
      [3640, mark("speech-pause", 3600)],
      [3800, final("four people")],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3000 interrupt-reply turn-1",
      '3950 commit-turn turn-2 "four people"',
    ],
  },
  "nor while the user holds the key to talk": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [3000, interim("for")],
      [3040, mark("speech-pause", 3000)],
      [3100, final("")],
      [3200, { type: "turn-start" }],
      [9000, { type: "turn-commit" }],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3000 interrupt-reply turn-1",
      '10500 commit-turn turn-2 ""',
    ],
  },
  "what the user takes back is not answered": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [3000, interim("for")],
      [3100, { type: "turn-cancel" }],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3000 interrupt-reply turn-1",
    ],
  },
  "a cough before the answer is heard holds it only for a moment": {
    steps: [
      ...utterance("book a table"),
      [2664, mark("speech-start", 2600)],
      [2840, mark("speech-pause", 2800)],
      [3050, mark("speech-end", 2800)],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3200 resume-reply turn-1",
    ],
  },
  "speculation: an answer is prepared at the pause, and kept when the final says the same": {
    options: { ...defaults, speculate: true },
    steps: [...utterance("what time is it").slice(0, 3), [2200, final("What time is it?")]],
    expected: [
      '2040 prepare-answer turn-1 "what time is it"',
      '2350 commit-turn turn-1 "What time is it?" prepared',
    ],
  },
  "speculation: other words are prepared for again, and drop what was prepared before": {
    options: { ...defaults, speculate: true },
    steps: [
      ...utterance("what time").slice(0, 3),
      [2100, final("what time is")],
      [2240, mark("speech-resume", 2200)],
      [2900, interim("it")],
      [3040, mark("speech-pause", 3000)],
      [3200, final("it now")],
    ],
    expected: [
      '2040 prepare-answer turn-1 "what time"',
      "2100 drop-answer",
      '2100 prepare-answer turn-1 "what time is"',
      "2900 drop-answer",
      '3040 prepare-answer turn-1 "what time is it"',
      "3200 drop-answer",
      '3200 prepare-answer turn-1 "what time is it now"',
      '3350 commit-turn turn-1 "what time is it now" prepared',
    ],
  },
  "what is typed is a turn at once, and interrupts": {
    steps: [...speaking, [2000, { type: "text-message", text: "What about Monday?" }]],
    expected: ["2000 interrupt-reply say-1", '2000 commit-turn turn-1 "What about Monday?"'],
  },
  "an utterance that is finalised twice while the voice goes on is one": {
    steps: [
      [1064, mark("speech-start", 1000)],
      [1800, interim("what time")],
      [1900, final("what time")],
      [1910, final("What time.")],
      [2040, mark("speech-pause", 2000)],
      [2200, final("is it")],
      [2260, mark("speech-end", 2000)],
    ],
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "what cannot be interrupted is played out, and what was said or typed meanwhile is answered after it": {
    steps: [
      [0, { type: "reply-begun", replyId: "say-1", uninterruptible: true }],
      [500, mark("speech-start", 450)],
      [600, reply("reply-started", "say-1")],
      ...utterance("stop that please").slice(1),
      [2600, { type: "text-message", text: "now" }],
      [4000, reply("reply-ended", "say-1")],
    ],
    expected: ['4000 commit-turn turn-1 "stop that please now"'],
  },
  "what cannot be interrupted is cut off from outside all the same": {
    steps: [
      [0, { type: "reply-begun", replyId: "say-1", uninterruptible: true }],
      [600, reply("reply-started", "say-1")],
      [2000, { type: "interrupt" }],
    ],
    expected: ["2000 interrupt-reply say-1"],
  },
  "an interruption from outside": {
    steps: [...speaking, [2000, { type: "interrupt" }]],
    expected: ["2000 interrupt-reply say-1"],
  },
  "the recognizer is down: the user is asked again, once": {
    steps: [
      [500, { type: "hearing-lost" }],
      ...utterance("").filter(([, { type }]) => type.startsWith("speech")),
    ],
    expected: ["4500 ask-again"],
  },
  "what is told of another reply changes nothing": {
    steps: [...speaking, [1500, reply("reply-ended", "say-0")], [2064, mark("speech-start", 2000)]],
    expected: ["2300 pause-reply say-1", "4300 resume-reply say-1", "4300 report-false-interruption say-1"],
  },
};

describe("turn()", () => {
  for (const [name, { options, steps, expected }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, options), expected));
  }
});
