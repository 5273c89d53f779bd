/**
 * Rooms at random: however people come, leave, and speak into each other's words and the agent's, everything that is said
 * is in the history once, with the name of who said it.
 */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as fc from "fast-check";
import { defineAgent } from "../../src/agent.ts";
import { saidIn } from "../../src/history.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import { startSession } from "../../src/session.ts";
import { turnTaking } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";
import {
  scriptedLanguageModel,
  scriptedSpeechToText,
  scriptedTextToSpeech,
  type Utterance,
} from "../fakes/providers.ts";
import { loudnessDetector, microphoneFrame } from "../fakes/speech.ts";
import { given, seed } from "./given.ts";

/** Each takes much longer than a call of one person: one of them for 400 of those. */
const runs = given("runs") === undefined ? 25 : Math.ceil(Number(given("runs")) / 400);
const people = ["anna", "ben", "cora"];
const endMs = 40_000;

/** What one of them does: so many seconds of silence, then so many words; or they leave, and return after that silence. */
interface Act {
  readonly silentMs: number;
  readonly words: number;
  readonly leaves: boolean;
}
const act: fc.Arbitrary<Act> = fc.record({
  silentMs: fc.integer({ min: 20, max: 200 }).map((frames) => frames * 20),
  words: fc.integer({ min: 1, max: 6 }),
  leaves: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});
const room = fc.record({
  acts: fc.tuple(...people.map(() => fc.array(act, { maxLength: 5 }))),
  maxRecognizers: fc.integer({ min: 1, max: 3 }),
  answer: fc.integer({ min: 1, max: 20 }),
});

/** What they say, each word once, and when each of them is there. */
function planned(acts: readonly (readonly Act[])[]) {
  const utterances: Utterance[] = [];
  const absences: { readonly voice: number; readonly fromMs: number; readonly toMs: number }[] = [];
  for (const [voice, own] of acts.entries()) {
    let atMs = 500;
    for (const { silentMs, words, leaves } of own) {
      if (leaves) absences.push({ voice, fromMs: atMs + 1_000, toMs: atMs + 1_000 + silentMs });
      atMs += leaves ? silentMs + 1_500 : silentMs;
      const said = Array.from({ length: words }, (_, at) => `${people[voice]}-${utterances.length}-${at}`);
      utterances.push({ voice, fromMs: atMs, toMs: atMs + words * 240, words: said });
      atMs += words * 240 + 500;
    }
  }
  return { utterances, absences };
}

describe("rooms of several people at random", () => {
  it(`lose no word and double none: ${runs} of them, seed ${seed}`, async () => {
    const property = fc.asyncProperty(room, async ({ acts, maxRecognizers, answer }) => {
      const { utterances, absences } = planned(acts);
      const clock = fakeClock();
      const room = memoryRoom({ name: "room", clock, participants: "all" });
      const text = Array.from({ length: answer }, (_, at) => `answer ${at}.`).join(" ");
      const { session, joined } = startSession({
        id: "session",
        agentName: "test",
        agent: defineAgent({ instructions: "You are a test.", participants: "all", maxRecognizers }),
        providers: {
          vad: loudnessDetector(),
          stt: scriptedSpeechToText(utterances, clock),
          llm: scriptedLanguageModel([{ text, ttftMs: 200, tokenMs: 20 }], clock),
          tts: scriptedTextToSpeech([], clock),
        },
        turnTaking,
        join: () => Promise.resolve(room),
        metadata: "",
        clock,
        log: silentLog,
      });
      const events = Array.fromAsync(session.events());
      room.enter("listener"); // somebody stays all the time
      for (const identity of people) room.enter(identity);
      await clock.settle();
      await joined;
      for (let atMs = 0; atMs < endMs; atMs += 20) {
        await clock.advance(20);
        for (const { voice, fromMs, toMs } of absences) {
          if (atMs === fromMs) room.leave(people[voice]!);
          if (atMs === toMs) room.enter(people[voice]!);
        }
        for (const [voice, identity] of people.entries()) {
          const speaks = utterances.some((one) =>
            one.voice === voice && atMs >= one.fromMs && atMs < one.toMs
          );
          room.hear(microphoneFrame(atMs, speaks, voice), identity);
        }
        await clock.settle();
      }
      const closed = session.close();
      await clock.advance(5_000);
      await closed;

      const heard = saidIn(session.history).filter(({ role }) => role === "user");
      const wordsOf = (identity: string) =>
        heard.filter(({ speaker }) => speaker?.identity === identity).flatMap(({ text }) => text.split(" "));
      for (const [voice, identity] of people.entries()) {
        const said = utterances.filter((one) => one.voice === voice).flatMap(({ words }) => words);
        assertEquals(wordsOf(identity), said);
      }
      const told = await events;
      const ofType = (type: string) => told.filter((event) => event.type === type).length;
      assertEquals(ofType("turn-ended"), ofType("user-speech-committed"));
      assertEquals(ofType("error"), 0);
      assertEquals(clock.pending, 0);
    });
    await fc.assert(property, { numRuns: runs, seed, endOnFailure: true });
  });
});
