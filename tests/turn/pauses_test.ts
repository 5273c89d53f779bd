/** Recorded speech with pauses, through the real voice detector and turn-taking at its defaults. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { durationMs } from "../../src/audio/frame.ts";
import { turnTakingFor } from "../../src/dispatch/turn_taking.ts";
import { initialTurnState, type TurnEvent } from "../../src/turn/state.ts";
import { turn } from "../../src/turn/turn.ts";
import { sileroDetector } from "../../src/vad/silero.ts";
import { CLIP_NAMES, framesOf, joined, loadClip, quiet, voiceOf } from "../fixtures/speech.ts";

/** A recognizer that is quick to call an utterance final: this long after the voice fell silent. */
const finalAfterMs = 160;

const turnTaking = turnTakingFor(defineAgent({ instructions: "You are a test." }), {
  endpointing: {},
  interruption: {},
  speculate: true,
});

/** The times of the commits, in milliseconds of the recording; each stretch of voice is recognized as `text`. */
async function commits(
  samples: Int16Array,
  text: (untilMs: number) => string = (untilMs) => `words until ${untilMs}.`,
): Promise<number[]> {
  let state = initialTurnState;
  let wakeAtMs: number | undefined;
  const committed: number[] = [];
  const due: { atMs: number; event: TurnEvent }[] = [];
  const take = (event: TurnEvent) => {
    const result = turn(state, event, turnTaking);
    ({ state, wakeAtMs } = result);
    for (const action of result.actions) {
      if (action.type !== "commit-turn") continue;
      committed.push(event.nowMs);
      state = { ...state, agent: { is: "silent" } };
    }
  };
  const pass = (untilMs: number) => {
    for (let next = due[0]; next && next.atMs <= untilMs; next = due[0]) {
      due.shift();
      take(next.event);
    }
    while (wakeAtMs !== undefined && wakeAtMs <= untilMs) take({ type: "wake", nowMs: wakeAtMs });
  };
  const voice = ReadableStream.from(framesOf(samples)).pipeThrough(sileroDetector().detect());
  let nowMs = 0;
  for await (const event of voice) {
    if (event.type === "audio") {
      nowMs = event.frame.timestampMs + durationMs(event.frame);
      pass(nowMs);
      continue;
    }
    // A mark is known when the frame after it has come.
    const atMs = event.type === "speech-start" ? event.voicedMs : event.atMs;
    pass(nowMs + 20);
    take({ type: event.type, atMs, nowMs: nowMs + 20 });
    if (event.type !== "speech-pause") continue;
    const finalMs = atMs + finalAfterMs;
    const words: TurnEvent = { type: "transcript-final", text: text(atMs), nowMs: finalMs };
    due.push({ atMs: finalMs, event: words });
  }
  pass(Infinity);
  return committed;
}

describe("at the defaults", () => {
  for (const first of CLIP_NAMES) {
    const second = CLIP_NAMES[(CLIP_NAMES.indexOf(first) + 1) % CLIP_NAMES.length] ?? first;
    for (const pauseMs of [100, 200, 300]) {
      it(`a pause of ${pauseMs} ms between "${first}" and "${second}" does not end the turn`, async () => {
        for (const leadMs of [500, 509, 520, 527]) {
          const [before, after] = [voiceOf(await loadClip(first)), voiceOf(await loadClip(second))];
          const samples = joined(quiet(leadMs), before, quiet(pauseMs), after, quiet(1500));
          const endMs = leadMs + pauseMs + (before.length + after.length) / 16;
          const found = await commits(samples);
          assertEquals(
            found.map((atMs) => atMs > endMs),
            [true],
            `committed at ${found}; the voice ends at ${endMs}`,
          );
        }
      });
    }
  }
  for (
    const unfinished of ["I would like a table for", "My name is.", "I was thinking, um,", "Two pizzas and"]
  ) {
    for (const pauseMs of [500, 700]) {
      it(`a pause of ${pauseMs} ms after "${unfinished}" does not end the turn`, async () => {
        for (const leadMs of [500, 509, 520, 527]) {
          const [before, after] = [voiceOf(await loadClip("one")), voiceOf(await loadClip("two"))];
          const samples = joined(quiet(leadMs), before, quiet(pauseMs), after, quiet(1500));
          const pausedMs = leadMs + before.length / 16;
          const endMs = pausedMs + pauseMs + after.length / 16;
          // Recognized so at any pause before the long one, and as a whole sentence at those after it.
          const text = (untilMs: number) => untilMs < pausedMs + pauseMs ? unfinished : "you see";
          assertEquals((await commits(samples, text)).map((atMs) => atMs > endMs), [true]);
        }
      });
    }
  }
  it("a pause of 500 ms after finished words does", async () => {
    const [before, after] = [voiceOf(await loadClip("one")), voiceOf(await loadClip("two"))];
    assertEquals((await commits(joined(quiet(500), before, quiet(500), after, quiet(1500)))).length, 2);
  });
  it("a pause of a second does", async () => {
    const [before, after] = [voiceOf(await loadClip("one")), voiceOf(await loadClip("two"))];
    assertEquals((await commits(joined(quiet(500), before, quiet(1000), after, quiet(1500)))).length, 2);
  });
});
