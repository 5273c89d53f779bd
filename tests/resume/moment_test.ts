/** When a call may change hands. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { canSayOn, isMoment, type Standing } from "../../src/resume/moment.ts";
import { initialTurnState, type TurnState } from "../../src/turn/state.ts";

const nowMs = 10_000;
const words = { ...initialTurnState.words, interim: "well" };
const moments: [what: string, turn: Partial<TurnState>, more: Partial<Standing>, expected: boolean][] = [
  ["nobody has spoken", {}, {}, true],
  ["the user has been silent for long enough", voiced("stopped", 500), {}, true],
  ["the user has just been heard", voiced("stopped", 499), {}, false],
  ["the user is pausing", voiced("pausing", 600), {}, false],
  ["the user speaks", { user: { is: "speaking", sinceMs: 9_000 } }, {}, false],
  ["there are words that were not answered", { words }, {}, false],
  ["the agent speaks", { agent: { is: "speaking", replyId: "r" } }, {}, false],
  ["the agent thinks", { agent: { is: "thinking", replyId: "r", answers: true } }, {}, false],
  ["a key to talk is held", { key: { is: "down" } }, {}, false],
  ["something is about to be said", {}, { replying: true }, false],
  ["something waits to be said", {}, { waiting: true }, false],
  ["a tool is at work", {}, { working: true }, false],
];

function voiced(is: "stopped" | "pausing", agoMs: number): Partial<TurnState> {
  return { user: { is, sinceMs: 8_000, lastVoicedMs: nowMs - agoMs } };
}

describe("the moment to change hands", () => {
  for (const [what, turn, more, expected] of moments) {
    it(`is ${expected ? "" : "not "}when ${what}`, () => {
      const quiet = { replying: false, waiting: false, working: false, written: false, nowMs };
      assertEquals(isMoment({ turn: { ...initialTurnState, ...turn }, ...quiet, ...more }), expected);
    });
  }
});

describe("the end of a sentence of the agent's", () => {
  const speaking: Partial<TurnState> = { agent: { is: "speaking", replyId: "r" } };
  const cases: typeof moments = [
    ["the user is silent, and all is text", {}, {}, true],
    ["the user has just been heard", voiced("stopped", 499), {}, false],
    ["the user speaks", { user: { is: "speaking", sinceMs: 9_000 } }, {}, false],
    ["the agent keeps what it says back", { agent: { is: "paused", replyId: "r", sinceMs: 0 } }, {}, false],
    ["the model has not finished", {}, { written: false }, false],
  ];
  for (const [what, turn, more, expected] of cases) {
    it(`is ${expected ? "" : "not "}one to change hands at when ${what}`, () => {
      const standing = { replying: true, waiting: true, working: true, written: true, nowMs };
      const all = { ...initialTurnState, ...speaking, ...turn };
      assertEquals(canSayOn({ turn: all, ...standing, ...more }), expected);
    });
  }
});
