import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { TurnOptions } from "../../src/turn/state.ts";
import { defaults, final, interim, mark, play, reply, speaking, type Step } from "./play.ts";

/** Who answers hears the voice itself; words come afterwards. */
const hears: TurnOptions = { ...defaults, hearsVoice: true, speculate: true };
const answer = (text: string) => ({ ...(text === "" ? interim("") : final(text)), asked: true });

/** A voice from 1,000 to 2,000 ms. */
const voice: Step[] = [
  [1064, mark("speech-start", 1000)],
  [2040, mark("speech-pause", 2000)],
  [2400, mark("speech-end", 2000)],
];
const ended: Step[] = [[3000, reply("reply-started", "turn-1")], [4000, reply("reply-ended", "turn-1")]];

const cases: Record<string, { steps: Step[]; options?: TurnOptions; done: string[] }> = {
  "an answer begins with the pause, and is the turn's when the words have come": {
    steps: [...voice, [2600, answer("Hello.")], ...ended],
    done: ["2200 ask-final", '2200 prepare-answer turn-1 ""', '2600 commit-turn turn-1 "Hello." prepared'],
  },
  "not before the shortest delay": {
    steps: [voice[0]!, voice[1]!, [2250, answer("Hello.")], voice[2]!, ...ended],
    done: ["2200 ask-final", '2200 prepare-answer turn-1 ""', '2350 commit-turn turn-1 "Hello." prepared'],
  },
  "without speculation it begins when silence has ended the turn": {
    options: { ...hears, speculate: false },
    steps: [...voice, [2600, answer("Hello.")], ...ended],
    done: ["2350 ask-final", '2350 prepare-answer turn-1 ""', '2600 commit-turn turn-1 "Hello." prepared'],
  },
  "a voice without words is answered by nothing": {
    steps: [...voice, [2600, answer("")]],
    done: ["2200 ask-final", '2200 prepare-answer turn-1 ""', "2600 drop-answer"],
  },
  "a voice that goes on is answered anew, as a whole": {
    steps: [
      ...voice,
      [2450, mark("speech-start", 2420)],
      [2500, answer("Hello.")],
      [3040, mark("speech-pause", 3000)],
      [3500, answer("Are you there?")],
      [3900, reply("reply-started", "turn-1")],
      [4000, reply("reply-ended", "turn-1")],
    ],
    done: [
      "2200 ask-final",
      '2200 prepare-answer turn-1 ""',
      "2450 drop-answer",
      "3200 ask-final",
      '3200 prepare-answer turn-1 "Hello."',
      '3500 commit-turn turn-1 "Hello. Are you there?" prepared',
    ],
  },
  "words that differ from those there were do not spoil it": {
    steps: [
      [1064, mark("speech-start", 1000)],
      [1900, interim("hell")],
      [2040, mark("speech-pause", 2000)],
      [2300, answer("Hello.")],
      ...ended,
    ],
    done: [
      "2200 ask-final",
      '2200 prepare-answer turn-1 "hell"',
      '2350 commit-turn turn-1 "Hello." prepared',
    ],
  },
  "an interruption is asked for its words while it lasts, and for the rest at its end": {
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [3000, answer("Stop")],
      [3540, mark("speech-pause", 3500)],
      [4000, answer("it now.")],
      [4100, reply("reply-ended", "say-1")],
    ],
    done: [
      "2300 pause-reply say-1",
      "2700 ask-final",
      "3000 interrupt-reply say-1",
      "3700 ask-final",
      '3700 prepare-answer turn-1 "Stop"',
      '4000 commit-turn turn-1 "Stop it now." prepared',
    ],
  },
  "an interruption without words is over as soon as that is known": {
    steps: [
      ...speaking,
      [2064, mark("speech-start", 2000)],
      [2440, mark("speech-pause", 2400)],
      [2900, answer("")],
      [5000, reply("reply-ended", "say-1")],
    ],
    done: [
      "2300 pause-reply say-1",
      "2600 ask-final",
      "2900 resume-reply say-1",
      "2900 report-false-interruption say-1",
    ],
  },
  "what is typed meanwhile is answered by itself": {
    steps: [...voice, [2450, { type: "text-message", text: "Hi" }], [2600, answer("")], ...ended],
    done: ["2200 ask-final", '2200 prepare-answer turn-1 ""', '2450 commit-turn turn-1 "Hi"'],
  },
};

describe("an agent that hears the voice itself", () => {
  for (const [name, { steps, options = hears, done }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, options), done));
  }
});
