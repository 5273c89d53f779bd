/** When the user's turn ends: by silence, words, sound, the recognizer or a key; and what is prepared meanwhile. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { turnLanguage } from "../../src/turn/languages.ts";
import type { TurnOptions } from "../../src/turn/state.ts";
import { unfinishedWords } from "../../src/turn/unfinished.ts";
import { defaults, final, interim, mark, play, reply, speaking, type Step, utterance } from "./play.ts";

const words = unfinishedWords(turnLanguage("en"));
const withEndpointing = (change: Partial<TurnOptions["endpointing"]>, options = defaults): TurnOptions => ({
  ...options,
  endpointing: { ...options.endpointing, ...change },
});
const byWords = withEndpointing({ words });
const speculating = { ...byWords, speculate: true };
const manual: TurnOptions = { ...byWords, detection: "manual" };
const recognizer: TurnOptions = { ...byWords, detection: "recognizer" };

const judged = (atMs: number, probability: number) => ({ type: "turn-judged", atMs, probability }) as const;
const press = (action: "start" | "commit" | "cancel") => ({ type: `turn-${action}` }) as const;
const ended = (text: string) => ({ ...final(text), end: "silent" as const });
const surelyEnded = (text: string) => ({ ...final(text), end: "judged" as const });
const likelyEnded = (text: string) => ({ ...interim(text), end: "likely" as const });

/** A pause of `ms` after the words spoken until `atMs`, and more words after it for half a second. */
const pause = (atMs: number, ms: number, more: string): Step[] => [
  ms < 400
    ? [atMs + ms + 32, mark("speech-resume", atMs + ms)]
    : [atMs + ms + 64, mark("speech-start", atMs + ms)],
  [atMs + ms + 400, interim(more)],
  [atMs + ms + 540, mark("speech-pause", atMs + ms + 500)],
  [atMs + ms + 700, final(more)],
];

const cases: Record<string, { options: TurnOptions; steps: Step[]; expected: string[] }> = {
  "a number that is being dictated is not answered before the longest delay": {
    options: byWords,
    steps: utterance("my number is five five five"),
    expected: ['5000 commit-turn turn-1 "my number is five five five"'],
  },
  "a whole number is answered after the shortest": {
    options: byWords,
    steps: utterance("my number is five five five one two three four five six seven"),
    expected: ['2350 commit-turn turn-1 "my number is five five five one two three four five six seven"'],
  },
  "what is dictated in pieces is one turn": {
    options: byWords,
    steps: [
      ...utterance("my number is five five five"),
      ...pause(2000, 1200, "one two three"),
      ...pause(3700, 2000, "four five six seven"),
    ],
    expected: ['6550 commit-turn turn-1 "my number is five five five one two three four five six seven"'],
  },
  "pauses of 500 ms after words that are plainly unfinished do not end the turn": {
    options: byWords,
    steps: [...utterance("I would like a table for"), ...pause(2000, 500, "two")],
    expected: ['3350 commit-turn turn-1 "I would like a table for two"'],
  },
  "nor do those of 700 ms": {
    options: byWords,
    steps: [...utterance("I would like a"), ...pause(2000, 700, "table for two")],
    expected: ['3550 commit-turn turn-1 "I would like a table for two"'],
  },
  "after other words they do": {
    options: byWords,
    steps: [...utterance("I would like tea"), ...pause(2000, 700, "for two")],
    expected: [
      '2350 commit-turn turn-1 "I would like tea"',
      "2764 pause-reply turn-1",
      "3100 interrupt-reply turn-1",
      '3550 commit-turn turn-2 "for two"',
    ],
  },
  "the sound moves the delay": {
    options: byWords,
    steps: [...utterance("what time").slice(0, 4), [2240, judged(2000, 0.1)]],
    expected: ['4470 commit-turn turn-1 "what time"'],
  },
  "the sound of a pause before counts for nothing": {
    options: byWords,
    steps: [[1540, mark("speech-pause", 1500)], [1560, judged(1500, 0)], ...utterance("what time is it")],
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "words that tell win over the sound": {
    options: byWords,
    steps: [...utterance("my number is five five five").slice(0, 4), [2240, judged(2000, 1)]],
    expected: ['5000 commit-turn turn-1 "my number is five five five"'],
  },
  "dynamic: somebody who pauses for long is given longer": {
    options: withEndpointing({ dynamic: true }),
    steps: [
      ...utterance("I would"), // 300 ms within the least delay, as nothing is known of this user
      ...pause(2000, 300, "like to go"),
      ...pause(2800, 390, "to the sea"), // 1.5 × 300 ms are waited now
    ],
    expected: ['4207.5 commit-turn turn-1 "I would like to go to the sea"'], // 1.5 × 345 ms after 3,690
  },
  "dynamic: never less than the least delay, nor more than the longest": {
    options: withEndpointing({ dynamic: true, maxDelayMs: 400 }),
    steps: [
      ...utterance("tell"),
      ...pause(2000, 300, "me"),
      ...pause(2800, 355, "more"),
    ],
    expected: ['4055 commit-turn turn-1 "tell me more"'],
  },
  "dynamic: a turn that was ended too early counts as a pause": {
    options: withEndpointing({ dynamic: true }),
    steps: [
      ...utterance("book a table"),
      ...pause(2000, 600, "for two"),
      [3900, reply("reply-started", "turn-2")],
      [4900, reply("reply-ended", "turn-2")],
    ],
    expected: [
      '2350 commit-turn turn-1 "book a table"',
      "2664 pause-reply turn-1",
      "3000 interrupt-reply turn-1",
      '4000 commit-turn turn-2 "for two"', // 1.5 × 600 ms after 3,100
    ],
  },
  "the recognizer's end of turn is waited for no longer": {
    options: recognizer,
    steps: [...utterance("what time is it").slice(0, 3), [2200, ended("what time is it")]],
    expected: ['2200 commit-turn turn-1 "what time is it"'],
  },
  "nor is a voice that only the detector hears": {
    options: recognizer,
    steps: [...utterance("what time is it").slice(0, 2), [2200, ended("what time is it")]],
    expected: ['2200 commit-turn turn-1 "what time is it"'],
  },
  "a final without it waits as ever": {
    options: recognizer,
    steps: utterance("what time is it"),
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "the recognizer does not end a number that is being dictated": {
    options: recognizer,
    steps: [...utterance("x").slice(0, 3), [2200, ended("my number is five five five")]],
    expected: ['5000 commit-turn turn-1 "my number is five five five"'],
  },
  "by silence, the recognizer's opinion counts for nothing": {
    options: byWords,
    steps: [...utterance("what time is it").slice(0, 3), [2200, ended("what time is it")]],
    expected: ['2350 commit-turn turn-1 "what time is it"'],
  },
  "a recognizer that judges for itself knows better than the words whether there will be more": {
    options: byWords,
    steps: [...utterance("I would like a table for").slice(0, 3), [
      2200,
      surelyEnded("I would like a table for"),
    ]],
    expected: ['2350 commit-turn turn-1 "I would like a table for"'],
  },
  "but for what is dictated": {
    options: byWords,
    steps: [
      [500, { type: "expectation-changed", expected: { kind: "digits", length: 6 } }],
      ...utterance("one two three").slice(0, 3),
      [2200, surelyEnded("one two three")],
    ],
    expected: ['5000 commit-turn turn-1 "one two three"'],
  },
  "an answer is prepared as soon as the recognizer finds an end likely": {
    options: speculating,
    steps: [
      ...utterance("I would like a table for").slice(0, 2),
      [1900, likelyEnded("I would like a table for")],
      [2040, mark("speech-pause", 2000)],
      [2200, surelyEnded("I would like a table for")],
    ],
    expected: [
      '1900 prepare-answer turn-1 "I would like a table for"',
      '2350 commit-turn turn-1 "I would like a table for" prepared',
    ],
  },
  "it is kept as long as the words are the same, and dropped when there are more": {
    options: speculating,
    steps: [
      ...utterance("I would like a table for").slice(0, 2),
      [1900, likelyEnded("I would like a table for")],
      [1950, interim("I would like a table for")],
      [2000, interim("I would like a table for two")],
      [2240, mark("speech-pause", 2200)],
      [2400, surelyEnded("I would like a table for two")],
    ],
    expected: [
      '1900 prepare-answer turn-1 "I would like a table for"',
      "2000 drop-answer",
      '2240 prepare-answer turn-1 "I would like a table for two"',
      '2550 commit-turn turn-1 "I would like a table for two" prepared',
    ],
  },
  "where a key says who talks, none is prepared": {
    options: { ...manual, speculate: true },
    steps: [
      [900, press("start")],
      ...utterance("what time is it").slice(0, 2),
      [1900, likelyEnded("what time is it")],
      [2040, mark("speech-pause", 2000)],
      [2300, press("commit")],
      [2400, final("what time is it")],
    ],
    expected: [
      "2300 ask-final",
      '2300 prepare-answer turn-1 "what time is it"',
      '2400 commit-turn turn-1 "what time is it" prepared',
    ],
  },
  "manual: silence ends nothing, the key does once the words are final": {
    options: manual,
    steps: [
      [900, press("start")],
      ...utterance("what time is it"),
      ...pause(2000, 5000, "in Tokyo").slice(0, 3),
      [7560, press("commit")],
      [7700, final("in Tokyo")],
    ],
    expected: ["7560 ask-final", '7700 commit-turn turn-1 "what time is it in Tokyo"'],
  },
  "manual: words that were final before are answered at once": {
    options: manual,
    steps: [[900, press("start")], ...utterance("what time is it"), [4000, press("commit")]],
    expected: ['4000 commit-turn turn-1 "what time is it"'],
  },
  "manual: without a final, the words there are are taken": {
    options: manual,
    steps: [[900, press("start")], ...utterance("what time").slice(0, 3), [2100, press("commit")]],
    expected: ["2100 ask-final", '3600 commit-turn turn-1 "what time"'],
  },
  "manual: a key without words is no turn": {
    options: manual,
    steps: [[900, press("start")], [2100, press("commit")], [9000, final("what time")]],
    expected: [],
  },
  "manual: what was said before the key is no part of the turn": {
    options: manual,
    steps: [
      ...utterance("not for you"),
      [3000, press("start")],
      ...pause(2000, 1100, "what time is it"),
      [4500, press("commit")],
    ],
    expected: ['4500 commit-turn turn-1 "what time is it"'],
  },
  "manual: the word that one is at when the key is pressed is": {
    options: manual,
    steps: [
      ...utterance("what time").slice(0, 2),
      [1900, press("start")],
      [2040, mark("speech-pause", 2000)],
      [
        2200,
        final("what time is it"),
      ],
      [2300, press("commit")],
    ],
    expected: ['2300 commit-turn turn-1 "what time is it"'],
  },
  "manual: without a start, everything since the last turn is committed": {
    options: manual,
    steps: [...utterance("what time is it"), [4000, press("commit")]],
    expected: ['4000 commit-turn turn-1 "what time is it"'],
  },
  "manual: what is taken back is no turn": {
    options: manual,
    steps: [[900, press("start")], ...utterance("what time is it"), [3000, press("cancel")], [
      4000,
      press("commit"),
    ]],
    expected: [],
  },
  "manual: the key interrupts, the voice does not": {
    options: manual,
    steps: [
      ...speaking,
      ...utterance("not for you").slice(1),
      [3000, press("start")],
      ...pause(2000, 1100, "what time is it"),
      [4500, press("commit")],
    ],
    expected: ["3000 interrupt-reply say-1", '4500 commit-turn turn-1 "what time is it"'],
  },
  "manual: committing without a start interrupts, too": {
    options: manual,
    steps: [...speaking, ...utterance("stop it").slice(1), [3000, press("commit")]],
    expected: ["3000 interrupt-reply say-1", '3000 commit-turn turn-1 "stop it"'],
  },
  "manual: what cannot be interrupted is played out first": {
    options: { ...manual, interruption: { ...manual.interruption, allowed: false } },
    steps: [
      ...speaking,
      [1000, press("start")],
      ...utterance("stop it").slice(1),
      [3000, press("commit")],
      [5000, reply("reply-ended", "say-1")],
    ],
    expected: ['5000 commit-turn turn-1 "stop it"'],
  },
  "manual: an answer is prepared when the key is let go": {
    options: { ...manual, speculate: true },
    steps: [[900, press("start")], ...utterance("what time").slice(0, 3), [2100, press("commit")], [
      2200,
      final("What time?"),
    ]],
    expected: [
      "2100 ask-final",
      '2100 prepare-answer turn-1 "what time"',
      '2200 commit-turn turn-1 "What time?" prepared',
    ],
  },
  "a key holds the turn open where silence would end it": {
    options: byWords,
    steps: [[900, press("start")], ...utterance("what time is it"), [4000, press("commit")]],
    expected: ['4000 commit-turn turn-1 "what time is it"'],
  },
  "the recognizer is down when the key is let go: the user is asked again": {
    options: manual,
    steps: [[500, { type: "hearing-lost" }], [900, press("start")], [2000, press("commit")]],
    expected: ["3500 ask-again"],
  },
  "speculation: nothing is prepared for words that are unfinished, until they nearly count as the turn": {
    options: speculating,
    steps: utterance("my number is five five five"),
    expected: [
      '4200 prepare-answer turn-1 "my number is five five five"',
      '5000 commit-turn turn-1 "my number is five five five" prepared',
    ],
  },
  "speculation: a voice that fades is answered to before the detector is sure of the pause": {
    options: speculating,
    steps: [
      ...utterance("what time is it").slice(0, 2),
      [2010, { type: "speech-fade" }],
      ...utterance("what time is it").slice(2),
    ],
    expected: [
      '2010 prepare-answer turn-1 "what time is it"',
      '2350 commit-turn turn-1 "what time is it" prepared',
    ],
  },
  "speculation: more words drop what was prepared at a fading voice, and the last preparation is kept for a pause":
    {
      options: speculating,
      steps: [
        [1064, mark("speech-start", 1000)],
        [1200, interim("tell me")],
        [1300, { type: "speech-fade" }],
        [1350, { type: "speech-swell" }],
        [1500, interim("tell me about")], // not the end of a sentence
        [1550, { type: "speech-fade" }],
        [1580, { type: "speech-swell" }],
        [1700, interim("tell me about me")],
        [1710, { type: "speech-fade" }],
        [1780, { type: "speech-swell" }],
        [1800, interim("tell me about me now")],
        [1810, { type: "speech-fade" }],
        [2040, mark("speech-pause", 2000)],
        [2200, final("tell me about me now")],
      ],
      expected: [
        '1300 prepare-answer turn-1 "tell me"',
        "1500 drop-answer",
        '1710 prepare-answer turn-1 "tell me about me"',
        "1800 drop-answer",
        '2040 prepare-answer turn-1 "tell me about me now"',
        '2350 commit-turn turn-1 "tell me about me now" prepared',
      ],
    },
  "speculation: a voice that comes back without more words is no reason to drop it": {
    options: speculating,
    steps: [
      ...utterance("what time is it").slice(0, 2),
      [2010, { type: "speech-fade" }],
      [2060, { type: "speech-swell" }],
      ...utterance("what time is it").slice(2).map(([atMs, event]): Step => [
        atMs + 100,
        "atMs" in event ? { ...event, atMs: event.atMs + 100 } : event,
      ]),
    ],
    expected: [
      '2010 prepare-answer turn-1 "what time is it"',
      '2450 commit-turn turn-1 "what time is it" prepared',
    ],
  },
  "speculation: where nothing is waited for, unfinished words are prepared for at once": {
    options: withEndpointing({ minDelayMs: 0, maxDelayMs: 0 }, speculating),
    steps: utterance("my number is five five five"),
    expected: [
      '2040 prepare-answer turn-1 "my number is five five five"',
      '2200 commit-turn turn-1 "my number is five five five" prepared',
    ],
  },
  "speculation: what is taken back is dropped": {
    options: { ...speculating, endpointing: { ...speculating.endpointing, minDelayMs: 1000 } },
    steps: [...utterance("what time is it"), [2400, press("cancel")]],
    expected: ['2040 prepare-answer turn-1 "what time is it"', "2400 drop-answer"],
  },
  "speculation: a turn has three preparations at the most, and one more to its final words": {
    options: { ...speculating, endpointing: { ...speculating.endpointing, minDelayMs: 1000 } },
    steps: [
      ...utterance("one").slice(0, 3),
      [2100, interim("one more")],
      [2150, interim("one more time")],
      [2200, interim("one more time please")],
      [2300, final("one more time please now")],
    ],
    expected: [
      '2040 prepare-answer turn-1 "one"',
      "2100 drop-answer",
      '2100 prepare-answer turn-1 "one more"',
      "2150 drop-answer",
      '2150 prepare-answer turn-1 "one more time"',
      "2200 drop-answer",
      '2300 prepare-answer turn-1 "one more time please now"',
      '3000 commit-turn turn-1 "one more time please now" prepared',
    ],
  },
};

describe("the end of a turn", () => {
  for (const [name, { options, steps, expected }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, options), expected));
  }

  it("speculation: a call in which nothing prepared is of use has one preparation a turn", () => {
    const steps: Step[] = [];
    for (let turn = 1; turn <= 6; turn++) {
      const atMs = turn * 10_000;
      steps.push(
        [atMs + 64, mark("speech-start", atMs)],
        [atMs + 500, interim("a")],
        [atMs + 1040, mark("speech-pause", atMs + 1000)],
        [atMs + 1100, interim("a b")],
        [atMs + 1150, interim("a b c")],
        [atMs + 1200, final("a b c d")],
        [atMs + 1250, final("e")],
        [atMs + 1400, mark("speech-end", atMs + 1000)],
        [atMs + 2000, reply("reply-started", `turn-${turn}`)],
        [atMs + 3000, reply("reply-ended", `turn-${turn}`)],
      );
    }
    const prepared = play(steps, { ...defaults, speculate: true })
      .filter((line) => line.includes("prepare-answer"))
      .map((line) => line.match(/turn-\d/)?.[0]);
    const all = [1, 2, 3, 4].flatMap((turn) => Array(4).fill(`turn-${turn}`));
    assertEquals(prepared, [...all, "turn-5", "turn-6"]);
  });
});
