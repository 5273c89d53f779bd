/** Several people who talk with one agent, in a memory room on the fake clock. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../src/agent.ts";
import { StageError } from "../src/errors.ts";
import { memoryRoom } from "../src/room/memory.ts";
import { type Providers, startSession } from "../src/session.ts";
import type { SpeechToText } from "../src/stt/stt.ts";
import { turnTaking } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { silentLog } from "./fakes/log.ts";
import {
  scriptedLanguageModel,
  scriptedSpeechToText,
  scriptedTextToSpeech,
  type Utterance,
} from "./fakes/providers.ts";
import { loudnessDetector, microphoneFrame } from "./fakes/speech.ts";

const people = ["anna", "ben", "cora"];

/** A call of these people, who say that. `voice` of an utterance is the speaker's place in `people`. */
function startCall(
  utterances: readonly Utterance[],
  given: { agent?: Partial<AgentDefinition>; providers?: Partial<Providers> } = {},
) {
  const clock = fakeClock();
  const room = memoryRoom({ name: "room", clock, participants: "all" });
  const llm = scriptedLanguageModel([{ text: "I see.", ttftMs: 100, tokenMs: 20 }], clock);
  let connections = 0;
  const most = { connections: 0 };
  const scripted = scriptedSpeechToText(utterances, clock);
  const stt: SpeechToText = {
    ...scripted,
    transcribe(voice, options) {
      most.connections = Math.max(most.connections, ++connections);
      const end = () => void connections--;
      return scripted.transcribe(voice, options).pipeThrough(
        new TransformStream({ flush: end, cancel: end }),
      );
    },
  };
  const { session, joined } = startSession({
    id: "session",
    agentName: "test",
    agent: defineAgent({ instructions: "You are a test.", participants: "all", ...given.agent }),
    providers: {
      vad: loudnessDetector(),
      stt,
      llm,
      tts: scriptedTextToSpeech([], clock),
      ...given.providers,
    },
    turnTaking,
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log: silentLog,
  });
  const events = Array.fromAsync(session.events());
  for (const identity of people) room.enter(identity);
  /** Lets everybody's microphone run until then. */
  const talk = async (untilMs: number) => {
    await joined;
    for (let atMs = clock.now(); atMs < untilMs; atMs += 20) {
      await clock.advance(20);
      for (const [voice, identity] of people.entries()) {
        const voiced = utterances.some((one) =>
          (one.voice ?? 0) === voice && atMs >= one.fromMs && atMs < one.toMs
        );
        room.hear(microphoneFrame(atMs, voiced, voice), identity);
      }
      await clock.settle();
    }
  };
  const close = async () => {
    const closed = session.close();
    await clock.advance(5_000);
    await closed;
    return await events;
  };
  return { session, room, clock, llm, most, talk, close };
}

const says = (voice: number, fromMs: number, text: string): Utterance => ({
  voice,
  fromMs,
  toMs: fromMs + 1_000,
  words: text.split(" "),
});

describe("several people in a session", () => {
  it("tells the model who says what as soon as two have spoken, in answers that are prepared too", async () => {
    const call = startCall([
      says(0, 0, "good evening"),
      says(1, 4_000, "two coffees"),
      says(0, 4_500, "and tea"),
    ]);
    await call.talk(9_000);
    const told = call.llm.requests.map((messages) =>
      messages.filter(({ role }) => role === "user").map(({ content }) => content)
    );
    assertEquals(told, [
      ["good evening"],
      ["anna: good evening", "ben: two coffees", "anna: and tea"],
    ]);
    const events = await call.close();
    assertEquals(
      events.filter(({ type }) => type === "speculation").map((event) => "kept" in event && event.kept),
      [true, true],
    );
    assertEquals(call.clock.pending, 0);
  });

  it("shows everybody's words as theirs, one segment an utterance, however they overlap", async () => {
    const call = startCall([says(0, 0, "two coffees"), says(1, 200, "and tea")]);
    await call.talk(4_000);
    const finals = call.room.shown.filter(({ of, final }) => of === "user" && final);
    assertEquals(finals.map(({ speaker, id, text }) => [speaker, id, text]), [
      ["anna", "user-0", "two coffees"],
      ["ben", "user-1", "and tea"],
    ]);
    const segments = new Set(call.room.shown.map(({ speaker, id }) => `${speaker} ${id}`));
    assertEquals([...segments].filter((one) => one.includes("user-")), ["anna user-0", "ben user-1"]);
    await call.close();
  });

  it("takes what one types as theirs", async () => {
    const call = startCall([]);
    await call.talk(100);
    const from = { identity: "ben", name: "Ben" };
    call.room.tell({ type: "text", text: "Hello?", from });
    await call.talk(2_000);
    assertEquals(
      call.session.history.map((item) => "speaker" in item ? item.speaker : undefined),
      [{ identity: "ben", name: "Ben" }, undefined],
    );
    await call.close();
  });

  it("goes on when the hearing of one of them fails", async () => {
    let streams = 0;
    const vad = loudnessDetector();
    const call = startCall([says(0, 0, "hello"), says(1, 3_000, "good evening")], {
      providers: {
        vad: {
          ...vad,
          detect: (options) =>
            ++streams === 1
              ? new TransformStream({
                transform() {
                  throw new StageError("vad", "the detector failed");
                },
              })
              : vad.detect(options),
        },
      },
    });
    await call.talk(6_000);
    assertEquals(call.session.state, "listening");
    const events = await call.close();
    const seen = events.flatMap((event) =>
      event.type === "error"
        ? [event.error.message]
        : event.type === "user-left"
        ? [`${event.participant.identity} left`]
        : event.type === "user-speech-committed"
        ? [event.text]
        : []
    );
    assertEquals(seen, ["the detector failed", "anna left", "good evening"]);
  });

  it("connects no more recognizers than it may, and none for who is quiet", async () => {
    const utterances = [
      says(0, 0, "one"),
      says(1, 0, "two"),
      says(0, 8_000, "three"),
      says(1, 12_000, "four"),
    ];
    for (const [maxRecognizers, connections] of [[1, 1], [5, 2]] as const) {
      const call = startCall(utterances, { agent: { maxRecognizers } });
      await call.talk(20_000);
      assertEquals(call.most.connections, connections);
      const said = call.session.history.flatMap((item) =>
        "role" in item && item.role === "user" ? [item.text] : []
      );
      assertEquals(said.toSorted(), ["four", "one", "three", "two"]);
      await call.close();
      assertEquals(call.clock.pending, 0);
    }
  });

  it("ends in time while all of them speak", async () => {
    const call = startCall(people.map((_, voice) => says(voice, 0, "hello there")));
    await call.talk(600);
    const events = await call.close();
    assertEquals(events.at(-1)?.type, "closed");
    assertEquals(events.some(({ type }) => type === "user-left"), false, "it is the agent who has left");
    assertEquals(call.clock.pending, 0);
  });
});
