/** Servers that are to end in the middle of calls. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import type * as Client from "livekit-client";
import { AccessToken } from "livekit-server-sdk";
import type { SpeakOptions } from "../emulators/deepgram_speak.ts";
import {
  breathOfWords,
  readWords,
  slipsIn,
  tellingWords,
  wordsPerBreath,
} from "../emulators/telling_words.ts";
import { voice } from "../emulators/voice.ts";
import { openClient, startBrowser } from "./browser.ts";
import { type Caller, type HeardFrame, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startRedisServer } from "./redis_server.ts";
import { dispatch, resumeWorld, saidTo, send, untilSaid, write } from "./resume_world.ts";
import type { ServerProcess } from "./server.ts";

const livekit = await startLiveKitServer();
const redis = await startRedisServer();
/** The caller's native client keeps its threads. */
const options = { ignore: !livekit, sanitizeOps: false, sanitizeResources: false };
const browser = livekit && await startBrowser();
const inBrowser = { ...options, ignore: !browser };
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await livekit?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const { url = "", apiKey = "", apiSecret = "" } = livekit ?? {};
const access = { url, apiKey, apiSecret };
const greeting = "Hello! How can I help you today?";
const goodbye = "I am sorry, I have to end this call now. Please call again in a moment. Goodbye.";

const world = (env: Readonly<Record<string, string>>) => resumeWorld(access, { env });
const ask = (address: string, room: string) => dispatch(access, address, { room, agent: "assistant" });

describe("a server that is to end", () => {
  it("lets its calls go on, takes none, and has them end with a goodbye at last", options, async () => {
    await using all = await world({ DRAIN_TIMEOUT: "120" });
    await using server = await all.serve();
    const address = await server.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ ...access, roomName: room });
    assertEquals((await ask(address, room)).status, 201);
    await untilSaid(caller, greeting);

    server.kill("SIGTERM");
    await until(() => server.log.some(({ msg }) => msg === "draining"), "the server to drain");
    assertMatch(server.output, /Waiting for a call to end, until /);
    assertEquals((await fetch(`${address}/readyz`)).status, 503);
    const refused = await ask(address, `room-${crypto.randomUUID()}`);
    assertEquals(refused.status, 503);
    await write(caller, "Are you there?");
    await untilSaid(caller, "You said: Are you there?");

    server.kill("SIGTERM");
    await untilSaid(caller, goodbye);
    assertEquals(await server.exit, 0);
    const ended = server.log.find(({ msg }) => msg === "session ended");
    assertEquals(ended?.reason, "shutdown");
    await until(() => caller.agent() === undefined, "the agent to leave");
  });

  it("hands its calls over to another: nobody in them notices, and it exits", inBrowser, async () => {
    const folder = `state/test-${crypto.randomUUID()}`;
    await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
    await using all = await world({ STATE_DIR: folder, DRAIN_TIMEOUT: "120" });
    await using first = await all.serve();
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ ...access, roomName: room });
    const { sessionId } = await (await ask(await first.url, room)).json();
    await untilSaid(caller, greeting);
    await write(caller, "My name is Ada.");
    await untilSaid(caller, "You said: My name is Ada.");

    assert(browser);
    await using client = await openClient(browser);
    const token = new AccessToken(apiKey, apiSecret, { identity: "watcher" });
    token.addGrant({ room, roomJoin: true });
    await client.page.evaluate(watchAgent, { url, token: await token.toJwt() });

    await using second = await all.serve(); // while nothing is said: what is late goes on elsewhere by itself
    await second.url;
    const beganMs = performance.now();
    first.kill("SIGTERM");
    assertEquals(await first.exit, 0);
    console.log(`${Math.round(performance.now() - beganMs)} ms from SIGTERM to the exit`);
    assertEquals(first.log.find(({ msg }) => msg === "session ended")?.reason, "handed-over");
    assert(!second.log.some(({ msg }) => msg === "session ended"), second.output);
    await write(caller, "What is my name?");
    await untilSaid(caller, "You said: What is my name?");
    const after = caller.agent()?.identity;
    assert(after?.startsWith(`agent-${sessionId}.`), after);
    assertEquals(await client.page.evaluate("window.seen"), [`agent-${sessionId}`, after]);
    assertEquals(await client.page.evaluate("window.failed"), []);
    await client.page.evaluate("window.room.disconnect()");
    const said = saidTo(caller);
    assertEquals(said, [greeting, "You said: My name is Ada.", "You said: What is my name?"]);
    const { messages = [] } = all.openai.requests.at(-1)?.body ?? {};
    const told = messages.map(({ content }) => String(content));
    for (const text of said.slice(0, 2)) assert(told.includes(text), told.join("\n"));
  });
});

/** Numbered, to be told apart: eight words and a pause each. */
const sentences = Array.from({ length: 14 }, (_, n) => `Here is sentence number ${n + 1} of this story.`);
/** What Deepgram is asked for, and milliseconds. */
const [rate, msPerWord, pauseMs, frameMs] = [24_000, 200, 200, 20];
const story: SpeakOptions = {
  msPerWord,
  sound(_, from, count) {
    const sound = voice(rate, from, count);
    return sound.fill(0, Math.max(0, count - rate * pauseMs / 1000));
  },
};

const isVoice = ({ level }: HeardFrame) => level > 0.01;

/** The longest silence that the caller heard in that time, in milliseconds. */
function longestSilence({ heard }: Caller, fromMs: number, untilMs: number): number {
  const atMs = heard.filter((frame) => isVoice(frame) && frame.atMs >= fromMs && frame.atMs <= untilMs)
    .map(({ atMs }) => atMs);
  return Math.max(...atMs.slice(1).map((ms, i) => ms - (atMs[i] ?? 0)));
}

describe("a server that is to end in the middle of a long answer", () => {
  const kinds = [
    { what: "a folder", env: (folder: string) => ({ STATE_DIR: folder }), isFree: true },
    { what: "Redis", env: () => ({ REDIS_URL: redis?.url ?? "" }), isFree: redis !== undefined },
    { what: "its other worker", env: () => ({ WORKERS: "2" }), isFree: true },
  ];
  const stores = Deno.args.includes("--stores=all") ? kinds : kinds.filter(({ what }) => what === "Redis");
  for (const { what, env, isFree } of stores) {
    it(
      `hands it over between two sentences, by ${what}`,
      { ...options, ignore: !livekit || !isFree },
      async () => {
        const folder = `state/test-${crypto.randomUUID()}`;
        await using _ = { [Symbol.asyncDispose]: () => remove(folder) };
        await using all = await resumeWorld(access, {
          env: { DRAIN_TIMEOUT: "16", ...env(folder) },
          model: { answer: () => sentences.join(" ") },
          speak: story,
        });
        await using first = await all.serve();
        const isSupervised = what === "its other worker";
        await using second = isSupervised ? first : await all.serve();
        await second.url;
        const room = `room-${crypto.randomUUID()}`;
        await using caller = await joinCaller({ ...access, roomName: room });
        await send(access, await first.url, { room, agent: "assistant" });
        await untilSaid(caller, greeting);
        await caller.untilQuiet();
        const askedMs = performance.now();
        await write(caller, "Tell me a story.");
        await caller.untilSpeech({ sinceMs: askedMs });
        if (isSupervised) endWorker(first);
        else first.kill("SIGTERM");
        await until(
          () => saidTo(caller).slice(1).join(" ").endsWith(sentences.at(-1) ?? ""),
          "the end",
          60_000,
        );
        await caller.untilQuiet();

        assertEquals(saidTo(caller).slice(1).join(" "), sentences.join(" ")); // each once
        assertEquals(saidTo(caller).length, 3);
        const voicedMs = caller.heard.filter((frame) => isVoice(frame) && frame.atMs > askedMs).length *
          frameMs;
        const sentenceMs = 8 * msPerWord - pauseMs;
        assert(voicedMs < (sentences.length + 0.7) * sentenceMs, `something was heard twice: ${voicedMs} ms`);
        const changeMs = caller.transcripts.findLast(({ identity }) => identity !== "caller")?.atMs ?? NaN;
        const [fromMs, untilMs] = [changeMs - 1_000, changeMs + 500];
        const changingMs = longestSilence(caller, fromMs, untilMs);
        const usualMs = Math.max(
          longestSilence(caller, askedMs, fromMs),
          longestSilence(caller, untilMs, Infinity),
        );
        console.log(
          `by ${what}: ${changingMs.toFixed()} ms of silence, of ${usualMs.toFixed()} between other sentences`,
        );
        assert(changingMs < usualMs + 300, `it was silent for ${changingMs} ms`);
        const ended = first.log.filter(({ msg }) => msg === "session ended");
        assertEquals(ended.map(({ reason }) => reason), ["handed-over"]);
      },
    );
  }
});

/** Between two breaths of somebody who speaks on, and what a recognizer takes for the end of one; milliseconds. */
const [breathMs, endpointMs] = [160, 120];

describe("a server that is to end while somebody speaks on and on", () => {
  it("hands the call over in the middle of their turn, which arrives whole", options, async () => {
    const folder = `state/test-${crypto.randomUUID()}`;
    await using _ = { [Symbol.asyncDispose]: () => remove(folder) };
    await using all = await resumeWorld(access, {
      env: { DRAIN_TIMEOUT: "16", STATE_DIR: folder },
      model: { answer: () => "Thank you." },
      listen: { read: readWords, minEndpointMs: endpointMs },
    });
    await using first = await all.serve();
    await using second = await all.serve();
    await second.url;
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ ...access, roomName: room });
    await send(access, await first.url, { room, agent: "assistant" });
    await untilSaid(caller, greeting);
    await caller.untilQuiet();

    const isHandedOver = () => first.log.some(({ msg }) => msg === "the session was handed over");
    let said = 0;
    const speakOn = async (breaths: number) => {
      for (let n = 0; n < breaths; n++, said += wordsPerBreath) {
        await caller.speak(await breathOfWords(said, { pauseMs: breathMs }));
      }
    };
    await speakOn(1);
    first.kill("SIGTERM");
    while (!isHandedOver() && said < 80) await speakOn(1);
    await speakOn(2);
    await untilSaid(caller, "Thank you.");
    const { messages = [] } = all.openai.requests.at(-1)?.body ?? {};
    const turns = messages.filter(({ role }) => role === "user").map(({ content }) => String(content));
    const heard = turns.join(" ");
    const [whole, slips] = [tellingWords(0, said), slipsIn(heard)];
    console.log(`of ${said} words ${heard.split(" ").length} were heard, ${slips} out of their order`);
    // What a machine with much to do swallows of the caller's sound is not to fail it: a word or two.
    assert(slips <= 2 && Math.abs(heard.length - whole.length) < 15, heard);
    assertEquals([heard.slice(0, 10), heard.slice(-10)], [whole.slice(0, 10), whole.slice(-10)]);
    assertEquals(saidTo(caller), [greeting, "Thank you."]);
    assertEquals(await first.exit, 0);
    assertEquals(first.log.find(({ msg }) => msg === "session ended")?.reason, "handed-over");
  });
});

/** Has the worker end that has the call. */
function endWorker({ log }: ServerProcess) {
  const worker = log.find(({ msg }) => msg === "agent joined")?.worker;
  const pid = log.find((line) => line.msg === "a worker is started" && line.worker === worker)?.pid;
  Deno.kill(Number(pid), "SIGTERM");
}

/** Removes the folder, if there is one. */
async function remove(folder: string) {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/**
 * Runs in the page: joins, and keeps what LiveKit's components would show: the agent at each change, and whether one left
 * while it was theirs, which is a failure (`useAgent`).
 */
async function watchAgent({ url, token }: { readonly url: string; readonly token: string }) {
  const { LivekitClient: { Room, RoomEvent, ParticipantKind } } = globalThis as unknown as {
    LivekitClient: Pick<typeof Client, "Room" | "RoomEvent" | "ParticipantKind">;
  };
  const room = new Room();
  const seen: (string | undefined)[] = [];
  const failed: string[] = [];
  Object.assign(globalThis, { room, seen, failed });
  const look = () => {
    const agent = [...room.remoteParticipants.values()].find(({ kind, attributes }) =>
      kind === ParticipantKind.AGENT && !("lk.publish_on_behalf" in attributes)
    );
    if (seen.length === 0 || seen.at(-1) !== agent?.identity) seen.push(agent?.identity);
  };
  room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => {
    if (identity === seen.at(-1)) failed.push(identity);
    look();
  });
  room.on(RoomEvent.ParticipantConnected, look);
  room.on(RoomEvent.ParticipantAttributesChanged, look);
  await room.connect(url, token);
  look();
}
