/** When a call may change hands. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { begunTurn, canSayOn, isMoment, type Standing } from "../../src/resume/moment.ts";
import { initialTurnState, type TurnState } from "../../src/turn/state.ts";

const nowMs = 10_000;
const words = { ...initialTurnState.words, interim: "well" };
const moments: [what: string, turn: Partial<TurnState>, more: Partial<Standing>, expected: boolean][] = [
  ["nobody has spoken", {}, {}, true],
  ["a voice was without words", voiced("stopped", 2_000), {}, true],
  ["a voice may yet have words", voiced("stopped", 1_999), {}, false],
  ["the user has been silent for long enough", { voicedUntilMs: nowMs - 500 }, {}, true],
  ["the user has just been heard", { voicedUntilMs: nowMs - 499 }, {}, false],
  ["they have been silent only as far as they were heard", { voicedUntilMs: nowMs - 1_000 }, {
    heardMs: nowMs - 501,
  }, false],
  ["they were heard nearly to the end", {}, { heardMs: nowMs - 1_000 }, true],
  ["they were not heard for too long", {}, { heardMs: nowMs - 1_001 }, false],
  ["the user is pausing", voiced("pausing", 600), {}, false],
  ["the user speaks", { user: { is: "speaking", sinceMs: 9_000 } }, {}, false],
  ["there are words that were not answered", { words }, {}, false],
  ["the words that an answer gave way to are gone", { gaveWay: true }, {}, false],
  ["the agent speaks", { agent: { is: "speaking", replyId: "r" } }, {}, false],
  ["the agent thinks", { agent: { is: "thinking", replyId: "r", answers: true } }, {}, false],
  ["a key to talk is held", { key: { is: "down" } }, {}, false],
  ["something is about to be said", {}, { replying: true }, false],
  ["an answer is being made", {}, { prepared: true }, false],
  ["something waits to be said", {}, { waiting: true }, false],
  ["a tool is at work", {}, { working: true }, false],
];

function voiced(is: "stopped" | "pausing", agoMs: number): Partial<TurnState> {
  return { user: { is, sinceMs: 8_000, lastVoicedMs: nowMs - agoMs } };
}

const quiet = {
  replying: false,
  prepared: false,
  waiting: false,
  working: false,
  written: false,
  byVoice: false,
  heardMs: nowMs,
  nowMs,
};

describe("the moment to change hands", () => {
  for (const [what, turn, more, expected] of moments) {
    it(`is ${expected ? "" : "not "}when ${what}`, () => {
      assertEquals(isMoment({ turn: { ...initialTurnState, ...turn }, ...quiet, ...more }), expected);
    });
  }
});

describe("the end of a sentence of the agent's", () => {
  const speaking: Partial<TurnState> = { agent: { is: "speaking", replyId: "r" } };
  const cases: typeof moments = [
    ["the user is silent, and all is text", {}, {}, true],
    ["a voice may yet have words", voiced("stopped", 1_999), {}, false],
    ["the user has just been heard", { voicedUntilMs: nowMs - 499 }, {}, false],
    ["the user speaks", { user: { is: "speaking", sinceMs: 9_000 } }, {}, false],
    ["the agent keeps what it says back", { agent: { is: "paused", replyId: "r", sinceMs: 0 } }, {}, false],
    ["the model has not finished", {}, { written: false }, false],
  ];
  for (const [what, turn, more, expected] of cases) {
    it(`is ${expected ? "" : "not "}one to change hands at when ${what}`, () => {
      const standing = { ...quiet, replying: true, waiting: true, working: true, written: true };
      const all = { ...initialTurnState, ...speaking, ...turn };
      assertEquals(canSayOn({ turn: all, ...standing, ...more }), expected);
    });
  }
});

describe("the middle of the user's turn", () => {
  const said = { ...initialTurnState.words, final: "I would like", untilMs: 9_400 };
  const speaking: Partial<TurnState> = { user: { is: "speaking", sinceMs: 8_000 }, words: said };
  const cases: typeof moments = [
    ["all that was told of it is final", {}, {}, true],
    ["an answer is being made to it", {}, { prepared: true }, true],
    ["what is not told of it is older than another keeps", { words: { ...said, untilMs: 8_999 } }, {}, false],
    ["it is not known where the words end", { words: { ...initialTurnState.words, final: "I" } }, {}, false],
    ["there are words that may change", { words: { ...said, interim: "a" } }, {}, false],
    ["nothing was told of it", { words: initialTurnState.words }, {}, false],
    ["the user pauses", voiced("pausing", 100), {}, false],
    ["the agent speaks", { agent: { is: "speaking", replyId: "r" } }, {}, false],
    ["a key to talk is held", { key: { is: "down" } }, {}, false],
    ["something is about to be said", {}, { replying: true }, false],
    ["something waits to be said", {}, { waiting: true }, false],
    ["a tool is at work", {}, { working: true }, false],
    ["the agent answers to the voice", {}, { byVoice: true }, false],
  ];
  for (const [what, turn, more, expected] of cases) {
    it(`is ${expected ? "" : "not "}one to change hands in when ${what}`, () => {
      const all = { ...initialTurnState, ...speaking, ...turn };
      const begun = begunTurn({ turn: all, ...quiet, ...more });
      assertEquals(begun, expected ? { text: "I would like", agoMs: 600 } : undefined);
    });
  }
});
