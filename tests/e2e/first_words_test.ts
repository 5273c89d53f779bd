/** The first words of a greeting through a real livekit-server: heard whole, whoever comes first. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { Room } from "@livekit/rtc-node";
import { AccessToken } from "livekit-server-sdk";
import { defineAgent } from "../../src/agent.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import { startSession } from "../../src/session.ts";
import type { SpeechEvent, TextToSpeech } from "../../src/tts/tts.ts";
import { turnTaking } from "../fakes/call.ts";
import { fakeLog } from "../fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText } from "../fakes/providers.ts";
import { loudnessDetector } from "../fakes/speech.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: server === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(() => server?.[Symbol.asyncDispose]());
const access = () => server ?? { url: "", apiKey: "", apiSecret: "" };

const format = { sampleRate: 24_000, channels: 1 };
/** The greeting begins with 200 ms of the one tone, and goes on with the other. */
const [firstHz, restHz] = [1_000, 400];
const firstMs = 200;

/** Says everything as the two tones, at once. */
const tones: TextToSpeech = {
  provider: "tones",
  model: "tones",
  output: format,
  synthesize: () =>
    ReadableStream.from(
      Array.from({ length: 60 }, (_, frame): SpeechEvent => {
        const hz = frame * 20 < firstMs ? firstHz : restHz;
        const samples = Int16Array.from(
          { length: format.sampleRate / 50 },
          (_, i) => 10_000 * Math.sin(2 * Math.PI * hz * (frame * 0.02 + i / format.sampleRate)),
        );
        return { type: "audio", frame: { ...format, samples, timestampMs: 0 } };
      }),
    ),
};

/** Sends an agent that greets into `roomName`; it is there when this settles. */
async function greeter(roomName: string) {
  const { session, joined } = startSession({
    id: "session",
    agentName: "greeter",
    agent: defineAgent({
      instructions: "You greet.",
      entry: ({ session }) => void session.say("Hello there, this is a greeting."),
    }),
    providers: {
      vad: loudnessDetector(),
      stt: { ...scriptedSpeechToText([], clock), elsewhere: true },
      llm: scriptedLanguageModel([], clock),
      tts: tones,
    },
    turnTaking,
    join: ({ signal }) =>
      joinLiveKitRoom({
        ...access(),
        roomName,
        identity: "agent",
        agentName: "greeter",
        subscribe: "audio",
        clock,
        log: fakeLog(),
        signal,
      }),
    metadata: "",
    clock,
    log: fakeLog(),
  });
  await joined;
  return session;
}

/** How loud `hz` is in 16 kHz samples, 0–1. */
function level(samples: Int16Array, hz: number): number {
  let [re, im] = [0, 0];
  samples.forEach((sample, i) => {
    const angle = 2 * Math.PI * hz * i / 16_000;
    re += sample / 32_768 * Math.cos(angle);
    im += sample / 32_768 * Math.sin(angle);
  });
  return 2 * Math.hypot(re, im) / samples.length;
}

/** How many milliseconds of the first tone the caller heard, once the greeting is over. */
async function firstHeardMs(caller: Caller): Promise<number> {
  await caller.untilSpeech({ sinceMs: 0, timeoutMs: 10_000 });
  await caller.untilQuiet({ quietMs: 400 });
  const ofFirst = caller.heard.filter(({ samples }) => level(samples, firstHz) > 0.05);
  const ofRest = caller.heard.filter(({ samples }) => level(samples, restHz) > 0.05);
  assert(ofRest.length * 20 > 900, `${ofRest.length * 20} ms of the rest were heard`);
  return ofFirst.length * 20;
}

const room = () => `room-${crypto.randomUUID()}`;
const call = (roomName: string) => joinCaller({ ...access(), roomName });

describe("the first words", () => {
  it("are heard by a caller who is there before the agent", options, async () => {
    const roomName = room();
    await using caller = await call(roomName);
    const session = await greeter(roomName);
    const heardMs = await firstHeardMs(caller);
    assert(heardMs >= firstMs - 40, `${heardMs} of ${firstMs} ms were heard`);
    await session.close();
  });

  it("are heard by a caller who comes after the agent", options, async () => {
    const roomName = room();
    const session = await greeter(roomName);
    await clock.sleep(500);
    assertEquals(session.history, []);
    await using caller = await call(roomName);
    const heardMs = await firstHeardMs(caller);
    assert(heardMs >= firstMs - 40, `${heardMs} of ${firstMs} ms were heard`);
    await session.close();
  });

  it("are not waited for by a caller who listens to nobody", options, async () => {
    const roomName = room();
    const token = new AccessToken(access().apiKey, access().apiSecret, { identity: "deaf" });
    token.addGrant({ room: roomName, roomJoin: true });
    const deaf = new Room();
    await deaf.connect(access().url, await token.toJwt(), { autoSubscribe: false, dynacast: false });
    const startMs = performance.now();
    const session = await greeter(roomName);
    await until(() => session.history.length > 0, "the greeting", 8_000);
    assert(performance.now() - startMs > 3_000, "it was not waited at all");
    await session.close();
    await deaf.disconnect();
  });

  it("leave the reason for the end where clients see it", options, async () => {
    const roomName = room();
    await using caller = await call(roomName);
    const session = await greeter(roomName);
    const agent = await until(() => caller.agent(), "the agent");
    await session.close("max-duration");
    assertEquals(
      await until(() => agent.attributes["repartee.close_reason"], "the reason", 5_000),
      "max-duration",
    );
  });
});
