/** The moment that the last words of a call are given. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createLastWords } from "../src/last_words.ts";
import { initialTurnState, type TurnState } from "../src/turn/state.ts";
import { NO_WORDS } from "../src/turn/words.ts";
import { fakeClock } from "./fakes/clock.ts";

const silent: TurnState = initialTurnState;
const speaking: TurnState = { ...silent, user: { is: "speaking", sinceMs: 0 } };
const stopped: TurnState = { ...silent, user: { is: "stopped", sinceMs: 0, lastVoicedMs: 9_000 } };
const final = { ...NO_WORDS, final: "hello" };
const never = new Promise<void>(() => {});

describe("the last words of a call", () => {
  const table: [what: string, state: TurnState, isAsked: boolean][] = [
    ["nothing was said", silent, false],
    ["somebody speaks", speaking, true],
    ["somebody speaks whom nobody can hear", { ...speaking, hearing: false }, false],
    ["words may change", { ...silent, words: { ...NO_WORDS, interim: "hell" } }, true],
    ["a voice has just ended, without words so far", stopped, true],
    ["a voice has ended, and its words are there", { ...stopped, words: final }, false],
    [
      "there was a noise long ago",
      { ...stopped, user: { is: "stopped", sinceMs: 0, lastVoicedMs: 0 } },
      false,
    ],
  ];
  for (const [what, state, isAsked] of table) {
    it(`are ${isAsked ? "" : "not "}asked for when ${what}`, async () => {
      const clock = fakeClock(10_000);
      let asked = 0;
      const last = createLastWords({ clock, ask: () => void asked++ });
      const waited = last.wait(state, { ended: undefined, cut: undefined });
      last.heard();
      await waited;
      assertEquals([asked, clock.now(), clock.pending], [isAsked ? 1 : 0, 10_000, 0]);
    });
  }

  const waits: [
    what: string,
    state: TurnState,
    ended: () => Promise<void>,
    cutMs: number,
    tookMs: number,
  ][] = [
    ["until no more is heard", speaking, () => Promise.reject(new Error("it failed")), 0, 0],
    ["until what the agent said is cut off", silent, () => never, 300, 300],
    ["for 0.9 s at the most", speaking, () => never, 5_000, 900],
  ];
  for (const [what, state, ended, cutMs, tookMs] of waits) {
    it(`are waited for ${what}`, async () => {
      const clock = fakeClock();
      let endedMs: number | undefined;
      const cut = clock.sleep(cutMs);
      const last = createLastWords({ clock, ask: () => {} });
      const waited = last.wait(state, { ended: ended(), cut }).then(() => endedMs = clock.now());
      for (let i = 0; i < 60; i++) await clock.advance(100);
      await waited;
      assertEquals([endedMs, clock.pending], [tookMs, 0]);
    });
  }
});
