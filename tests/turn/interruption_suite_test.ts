/**
 * What interrupts the agent and what does not: sounds over its speech through the real voice detector, at several
 * loudnesses and alignments with the detector's windows, each with the words that a recognizer gives for it.
 */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { harmless, type Recording, stopping, story } from "../fixtures/interruptions.ts";
import { over, type Settings, softened, storySamples } from "./over_speech.ts";

/** The agent has spoken for so long when the sound begins. */
const soundMs = 1_000;
/** A decision is heard by then. */
const silentWithinMs = 200;
/** A pause and its end fade for 5 ms each; there may be two of them. */
const mostSoftened = 4 * 5 * 24;

const settings: Readonly<Record<string, Settings>> = {
  "at the defaults": { voice: {}, interruption: {} },
  "at stricter settings": {
    voice: { minSpeechMs: 128 },
    interruption: { minDurationMs: 600, minWords: 2 },
  },
  "at looser settings": {
    voice: { minSpeechMs: 32, activationThreshold: 0.35 },
    interruption: { minDurationMs: 100 },
  },
};

/** Every loudness at half of the quarters of the detector's windows of 32 ms; every quarter, in noise and without. */
const recordings: readonly Recording[] = [
  { atMs: soundMs, gainDb: -6, noisy: false },
  { atMs: soundMs + 16, gainDb: -6, noisy: true },
  { atMs: soundMs + 8, gainDb: 0, noisy: true },
  { atMs: soundMs + 24, gainDb: 0, noisy: false },
  { atMs: soundMs, gainDb: 6, noisy: true },
  { atMs: soundMs + 16, gainDb: 6, noisy: false },
];
/** One of each loudness. */
const some = [recordings[1], recordings[3], recordings[4]].filter((one) => one !== undefined);

const nameOf = ({ atMs, gainDb, noisy }: Recording) =>
  `at ${atMs} ms, ${gainDb} dB${noisy ? ", in noise" : ""}`;

for (const [when, setting] of Object.entries(settings)) {
  const variants = when === "at the defaults" ? recordings : some;
  describe(`${when}, the story goes on after`, () => {
    for (const [name, sound] of Object.entries(harmless)) {
      it(name, async () => {
        let voiced = 0;
        for (const recording of variants) {
          const outcome = await over(sound, recording, setting);
          const how = nameOf(recording);
          const told = outcome.events.find((event) =>
            event.type === "agent-speech-committed" && event.replyId === "say-1"
          );
          assert(told?.type === "agent-speech-committed" && !told.interrupted, `${how}: it was cut`);
          assertEquals([told.text, outcome.spoken], [story, story], how);
          assertEquals(outcome.story.length, storySamples, `${how}: samples played`);
          assert(softened(outcome) <= mostSoftened, `${how}: ${softened(outcome)} samples are too soft`);
          assertEquals(outcome.answeredMs, undefined, `${how}: something was answered`);
          assertEquals(outcome.pending, 0, `${how}: timers were left behind`);
          if (outcome.voiced) voiced++;
        }
        assert(voiced > 0, "the detector never took it for a voice: the test shows nothing");
      });
    }
  });

  describe(`${when}, the agent is silent after`, () => {
    for (const [name, sound] of Object.entries(stopping)) {
      it(name, async () => {
        for (const recording of variants) {
          const outcome = await over(sound, recording, setting);
          const how = nameOf(recording);
          const decided = outcome.events.find((event) =>
            event.type === "user-transcript" && event.text.startsWith(sound.stopsAt)
          );
          assert(decided, `${how}: no words`);
          const lastMs = outcome.storyUntilMs;
          assert(outcome.story.length < storySamples, `${how}: the story was played to its end`);
          assert(
            lastMs <= decided.atMs + silentWithinMs,
            `${how}: heard at ${lastMs}, decided at ${decided.atMs}`,
          );
          assert(softened(outcome) <= mostSoftened, how);
          assert((outcome.answeredMs ?? 0) > lastMs, `${how}: no answer after it`);
          const turns = outcome.events.flatMap((event) =>
            event.type === "user-speech-committed"
              ? [event.text]
              : event.type === "turn-ended"
              ? [event.outcome]
              : []
          );
          assertEquals(turns, [sound.final, "answered"], how);
          assertEquals(outcome.pending, 0, `${how}: timers were left behind`);
        }
      });
    }
  });
}
