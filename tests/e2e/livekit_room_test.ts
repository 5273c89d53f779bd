/** The LiveKit room against a real livekit-server and a real caller. */
import { type FfiEvent, FfiHandle } from "@livekit/rtc-ffi-bindings";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { type RemoteTrackPublication, RoomEvent } from "@livekit/rtc-node";
import { RoomServiceClient } from "livekit-server-sdk";
import { type AudioFrame, durationMs } from "../../src/audio/frame.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { EVENT, installFfiClient } from "../../src/room/livekit/ffi.ts";
import { joinLiveKitRoom, type LiveKitRoomOptions } from "../../src/room/livekit/room.ts";
import type { Room } from "../../src/room/room.ts";
import { fakeLog } from "../fakes/log.ts";
import { loadClip } from "../fixtures/speech.ts";
import { joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
const options = { ignore: server === undefined };
afterAll(() => server?.[Symbol.asyncDispose]());

const access = () => server ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const admin = () => new RoomServiceClient(access().httpUrl, access().apiKey, access().apiSecret);
const newRoomName = () => `room-${crypto.randomUUID()}`;
const call = (roomName: string, identity = "caller") => joinCaller({ ...access(), roomName, identity });

function join(roomName: string, given: Partial<LiveKitRoomOptions> = {}): Promise<Room> {
  return joinLiveKitRoom({
    ...access(),
    roomName,
    identity: "agent",
    agentName: "assistant",
    subscribe: "audio",
    clock,
    log: fakeLog(),
    signal: new AbortController().signal,
    ...given,
  });
}

/** What the agent's microphone delivers, as it comes. */
function record(room: Room): AudioFrame[] {
  const frames: AudioFrame[] = [];
  room.microphone.pipeTo(new WritableStream({ write: (frame) => void frames.push(frame) }));
  return frames;
}

const loud = (frame: AudioFrame) => frame.samples.some((sample) => Math.abs(sample) > 1_500);
const loudMs = (frames: AudioFrame[]) =>
  frames.filter(loud).reduce((sum, frame) => sum + durationMs(frame), 0);

/** A tone of `ms`, in frames of 20 ms at the speaker's rate. */
function tone(room: Room, ms: number): ReadableStream<AudioFrame> {
  const { sampleRate, channels } = room.speaker.format;
  const samples = (frame: number) =>
    Int16Array.from(
      { length: sampleRate / 50 },
      (_, at) => 8_000 * Math.sin(2 * Math.PI * 440 * (frame * 0.02 + at / sampleRate)),
    );
  return ReadableStream.from(
    Array.from(
      { length: ms / 20 },
      (_, at) => ({ sampleRate, channels, timestampMs: 0, samples: samples(at) }),
    ),
  );
}

describe("LiveKit room: joining", options, () => {
  it("shows the agent with its kind, name, track and state in less than a second", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    const startMs = performance.now();
    await using room = await join(roomName);
    room.setState("thinking"); // overtaken at once
    room.setState("listening");
    const agent = await until(() => caller.agent(), "the agent");
    assert(performance.now() - startMs < 1_000);
    await until(() => caller.states.at(-1)?.state === "listening", "the state");
    await until(() => agent.trackPublications.size === 1, "the track");
    const [publication] = agent.trackPublications.values();
    assertEquals(
      [agent.identity, agent.attributes["lk.agent.name"], publication?.name, room.name],
      ["agent", "assistant", "roomio_audio", roomName],
    );
    assertEquals(room.id, await caller.room.getSid());
    assert(caller.states.length <= 3, JSON.stringify(caller.states));
  });

  it("waits for a participant, whether they are there or come later, and passes over agents", async () => {
    const roomName = newRoomName();
    await using room = await join(roomName);
    await using _other = await join(roomName, { identity: "another-agent" });
    const waits = room.waitForParticipant();
    const inVain = room.waitForParticipant("nobody", { signal: AbortSignal.timeout(1_000) });
    const rejected = assertRejects(() => inVain);
    await using _caller = await call(roomName, "ann");
    assertEquals((await waits).identity, "ann");
    assertEquals((await room.waitForParticipant("ann")).identity, room.participant?.identity);
    await rejected;
  });

  it("says why it cannot join, and gives up when it is told to", async () => {
    await assertRejects(
      () => join(newRoomName(), { apiSecret: "wrong-secret-wrong-secret-wrong-secret" }),
      /LiveKit: cannot connect to ws:.*401.*invalid token: …/,
    );
    await assertRejects(
      () => join(newRoomName(), { url: "ws://127.0.0.1:1" }),
      /cannot connect to ws:\/\/127/,
    );
    const abort = new AbortController();
    const joining = join(newRoomName(), { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("no time")), 5);
    await assertRejects(() => joining, /no time/);
  });

  it("joins ten rooms, five at a time", async () => {
    const names = Array.from({ length: 10 }, newRoomName);
    const startMs = performance.now();
    const rooms: Room[] = [];
    for (const five of [names.slice(0, 5), names.slice(5)]) {
      rooms.push(...await Promise.all(five.map((roomName) => join(roomName))));
    }
    assert(performance.now() - startMs < 5_000);
    const listed = await admin().listParticipants(names[9]!);
    assertEquals(listed.map(({ identity }) => identity), ["agent"]);
    await Promise.all(rooms.map((room) => room[Symbol.asyncDispose]()));
  });
});

describe("LiveKit room: audio", options, () => {
  it("hears the participant's every word, and silence when muted or unpublished", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using room = await join(roomName);
    await room.waitForParticipant();
    const clip = await loadClip("one");
    await until(() => caller.room.localParticipant?.trackPublications.size, "the caller's track");
    const spoken = caller.speak(clip.samples);
    await clock.sleep(500); // the agent is still being set up: nothing is lost
    const frames = record(room);
    await spoken;
    await clock.sleep(300);
    const voiced = frames.filter(loud);
    const spanMs = voiced.at(-1)!.timestampMs - voiced[0]!.timestampMs;
    assert(
      Math.abs(spanMs - (clip.endMs - clip.startMs)) < 300,
      `${spanMs} of ${clip.endMs - clip.startMs} ms`,
    );
    assertEquals(room.droppedMs, 0);
    for (const [at, { timestampMs }] of frames.entries()) {
      const gapMs = timestampMs - (frames[at - 1]?.timestampMs ?? timestampMs - 32);
      assert(gapMs >= 10 && gapMs <= 80, `frame ${at} is ${gapMs} ms after the one before`);
    }
    for (
      const [silence, speak] of [[() => caller.mute(true), () => caller.mute(false)], [
        () => caller.publish(false),
        () => caller.publish(true),
      ]] as const
    ) {
      await silence();
      await clock.sleep(300);
      const before = frames.length;
      await clock.sleep(1_000);
      const silent = frames.slice(before);
      const silentMs = silent.reduce((sum, frame) => sum + durationMs(frame), 0);
      assert(silentMs >= 800, `${silentMs} ms in 1 s`);
      assertEquals(loudMs(silent), 0);
      await speak();
      await clock.sleep(300);
      const unmuted = frames.length;
      await caller.speak(clip.samples);
      await clock.sleep(200);
      assert(loudMs(frames.slice(unmuted)) > 300);
    }
    assert(Math.abs(frames.at(-1)!.timestampMs + 32 - clock.now()) < 100);
  });

  it("is heard, plays out, and knows how much it played", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using room = await join(roomName);
    await until(() => caller.heard.length > 10, "the agent's track");
    const playout = room.speaker.open({ signal: new AbortController().signal });
    const startMs = performance.now();
    await tone(room, 1_000).pipeTo(playout.writable);
    const tookMs = performance.now() - startMs;
    assert(tookMs > 950 && tookMs < 1_200, `closed after ${tookMs} ms`);
    assertEquals(await playout.done, { playedMs: 1_000, interrupted: false });
    const endMs = await caller.untilQuiet();
    const firstMs = await caller.untilSpeech({ sinceMs: startMs });
    assert(firstMs - startMs < 300, `heard after ${firstMs - startMs} ms`);
    assert(Math.abs(endMs - firstMs - 1_000) < 120, `heard for ${endMs - firstMs} ms`);
  });

  it("publishes its voice once more, for a client that has missed it", async () => {
    const roomName = newRoomName();
    await using caller = await joinCaller({ ...access(), roomName, autoSubscribe: false });
    const offered: RemoteTrackPublication[] = [];
    caller.room.on(RoomEvent.TrackPublished, (publication) => offered.push(publication));
    await using room = await join(roomName);
    const { signal } = new AbortController();
    await room.audible?.({ signal });
    const [first, second] = await until(() => offered.length === 2 && offered, "the voice once more");
    assert(second && first?.sid !== second.sid);
    second.setSubscribed(true);
    await room.audible?.({ signal });
    const sinceMs = performance.now();
    await tone(room, 500).pipeTo(room.speaker.open({ signal }).writable);
    await caller.untilSpeech({ sinceMs });
    assertEquals([...caller.agent()?.trackPublications.keys() ?? []], [second.sid]);
  });

  it("falls silent on an abort", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using room = await join(roomName);
    await until(() => caller.heard.length > 10, "the agent's track");
    const abort = new AbortController();
    const playout = room.speaker.open({ signal: abort.signal });
    const startMs = performance.now();
    const piped = tone(room, 5_000).pipeTo(playout.writable, { signal: abort.signal });
    const rejected = assertRejects(() => piped);
    await caller.untilSpeech({ sinceMs: startMs });
    await clock.sleep(700);
    const abortedMs = performance.now();
    abort.abort();
    const { playedMs, interrupted } = await playout.done;
    assert(interrupted && Math.abs(playedMs - (abortedMs - startMs)) < 100, `${playedMs} ms`);
    await rejected;
    const endMs = await caller.untilQuiet();
    assert(endMs - abortedMs < 200, `silent after ${endMs - abortedMs} ms`);
  });

  it("pauses, and goes on where it stopped", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using room = await join(roomName);
    await until(() => caller.heard.length > 10, "the agent's track");
    const playout = room.speaker.open({ signal: new AbortController().signal });
    const startMs = performance.now();
    const piped = tone(room, 1_500).pipeTo(playout.writable);
    await caller.untilSpeech({ sinceMs: startMs });
    await clock.sleep(500);
    playout.pause();
    const pausedMs = performance.now();
    const quietMs = await caller.untilQuiet();
    assert(quietMs - pausedMs < 200, `silent after ${quietMs - pausedMs} ms`);
    playout.resume();
    await piped;
    await caller.untilQuiet();
    const sounding = caller.heard.filter(({ atMs, level }) => atMs > startMs && level > 0.05).length * 20;
    assert(Math.abs(sounding - 1_500) < 120, `heard for ${sounding} ms`);
    assertEquals(await playout.done, { playedMs: 1_500, interrupted: false });
  });
});

describe("LiveKit room: transcripts", options, () => {
  it("publishes both sides as LiveKit's clients read them", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using room = await join(roomName);
    await room.waitForParticipant();
    const agentTrack = () => [...caller.agent()?.trackPublications.keys() ?? []][0];
    await until(agentTrack, "the agent's track");
    await until(() => caller.heard.length, "the caller's subscription");

    room.transcripts.user({ id: "SG_1", text: "Tell", final: false });
    await until(() => caller.transcripts.length === 1, "the interim transcript");
    room.transcripts.user({ id: "SG_1", text: "Tell me a", final: false });
    room.transcripts.user({ id: "SG_1", text: "Tell me a story.", final: true });
    const answer = room.transcripts.agent("SG_2");
    answer.write("Once ");
    answer.write("upon ");
    await until(() => caller.transcripts.at(-1)?.text === "Once upon ", "the first words");
    answer.write("a time.");
    answer.close();
    await until(() => caller.transcripts.at(-1)?.closed, "the end of the answer");

    const mine = [...caller.room.localParticipant!.trackPublications.keys()][0];
    const user = (final: boolean) => ({
      "lk.segment_id": "SG_1",
      "lk.transcription_final": String(final),
      "lk.transcribed_track_id": mine,
    });
    assertEquals(
      caller.transcripts.map(({ identity, text, closed, attributes }) => ({
        identity,
        text,
        closed,
        attributes,
      })),
      [
        { identity: "caller", text: "Tell", closed: true, attributes: user(false) },
        { identity: "caller", text: "Tell me a story.", closed: true, attributes: user(true) },
        {
          identity: "agent",
          text: "Once upon a time.",
          closed: true,
          attributes: {
            "lk.segment_id": "SG_2",
            "lk.transcription_final": "false",
            "lk.transcribed_track_id": agentTrack(),
          },
        },
      ],
    );
    assertEquals(caller.closings.at(-1)?.["lk.transcription_final"], "true");
  });
});

describe("LiveKit room: typed messages", options, () => {
  it("takes what the participant types, one turn a message, and nobody else's", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using other = await call(roomName, "other");
    const room = await join(roomName);
    await room.waitForParticipant("caller");
    const chat = { topic: "lk.chat" };
    const send = (text: string) => caller.room.localParticipant!.sendText(text, chat);
    await other.room.localParticipant!.sendText("I am somebody else.", chat);
    await send("x".repeat(4_001));
    await caller.room.localParticipant!.sendText("Not for the agent.", { topic: "other" });
    await send(" Hello?\n");
    await send("  ");
    const pieces = await caller.room.localParticipant!.streamText(chat);
    for (const piece of ["Tell me ", "a long ", "story."]) await pieces.write(piece);
    await pieces.close();
    const messages = room.messages!.getReader();
    for (const text of ["Hello?", "Tell me a long story."]) {
      assertEquals(await messages.read(), { done: false, value: { type: "text", text } });
    }
    await room[Symbol.asyncDispose]();
    assertEquals(await messages.read(), { done: true, value: undefined });
  });

  it("takes what was typed before the agent knew whom it talks with, of that one alone", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using other = await call(roomName, "other");
    const room = await join(roomName);
    const type = async ({ room }: typeof caller, text: string) => {
      await room.localParticipant!.sendText(text, { topic: "lk.chat" });
    };
    for (const text of ["Hello?", "Anybody there?"]) await type(caller, text);
    await type(other, "I am somebody else.");
    await clock.sleep(500);
    await room.waitForParticipant("caller");
    await type(other, "I am still somebody else.");
    await type(caller, "Well?");
    const messages = room.messages!.getReader();
    for (const text of ["Hello?", "Anybody there?", "Well?"]) {
      assertEquals((await messages.read()).value, { type: "text", text });
    }
    await room[Symbol.asyncDispose]();
    assertEquals((await messages.read()).done, true);
  });
});

describe("LiveKit room: its end", options, () => {
  it("keeps the session when the participant is put out and returns, or loads the page again", async () => {
    const roomName = newRoomName();
    const first = await call(roomName);
    await using room = await join(roomName, { participantGraceMs: 3_000 });
    await room.waitForParticipant();
    const frames = record(room);
    await admin().removeParticipant(roomName, "caller");
    await first.leave();
    await clock.sleep(500);
    const second = await call(roomName);
    await second.leave();
    await clock.sleep(500);
    await using third = await call(roomName);
    await until(() => third.heard.length > 0, "the agent's audio");
    await clock.sleep(3_500);
    assertEquals(room.closed.aborted, false);
    const before = frames.length;
    await third.speak((await loadClip("two")).samples);
    await clock.sleep(300);
    assert(loudMs(frames.slice(before)) > 300);
    assertEquals(room.participant?.identity, "caller");
  });

  it("goes on over a full reconnect of the participant", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    await using room = await join(roomName);
    await room.waitForParticipant();
    const frames = record(room);
    const reconnected = new Promise((resolve) => caller.room.once("reconnected", () => resolve(true)));
    await caller.room.simulateScenario(7); // a full reconnect
    await reconnected;
    await clock.sleep(1_000);
    const before = frames.length;
    await caller.speak((await loadClip("two")).samples);
    await clock.sleep(300);
    assert(loudMs(frames.slice(before)) > 300);
    assertEquals(room.closed.aborted, false);
  });

  const ended = async (room: Room, timeoutMs?: number) => {
    await until(() => room.closed.aborted, "the end", timeoutMs);
    return room.closed.reason;
  };

  it("ends when the participant left for good", async () => {
    const roomName = newRoomName();
    const caller = await call(roomName);
    await using room = await join(roomName, { leaveGraceMs: 200 });
    await room.waitForParticipant();
    const reading = room.microphone.pipeTo(new WritableStream());
    await caller.leave();
    assertEquals(await ended(room), "participant-left");
    await reading;
  });

  it("ends when the participant did not come back in time", async () => {
    const roomName = newRoomName();
    await using _caller = await call(roomName);
    await using room = await join(roomName, { participantGraceMs: 300 });
    await room.waitForParticipant();
    await admin().removeParticipant(roomName, "caller");
    assertEquals(await ended(room), "participant-left");
  });

  it("ends when the room is deleted, or the agent put out", async () => {
    const roomName = newRoomName();
    await using _caller = await call(roomName);
    await using room = await join(roomName);
    await room.waitForParticipant();
    await admin().deleteRoom(roomName);
    assertEquals(await ended(room), "room-deleted");
    const waits = room.waitForParticipant("somebody");
    await assertRejects(() => waits, /room ended/);

    const second = newRoomName();
    await using out = await join(second);
    await admin().removeParticipant(second, "agent");
    assertEquals(await ended(out), "removed");
  });

  it("leaves quickly, though the server be gone", async () => {
    const own = await startLiveKitServer();
    if (!own) return;
    await using _server = own;
    const room = await join(newRoomName(), own);
    await own.kill();
    const playout = room.speaker.open({ signal: new AbortController().signal });
    await tone(room, 100).pipeTo(playout.writable);
    room.setState("speaking");
    room.transcripts.user({ id: "SG_1", text: "Hello?", final: true });
    const startMs = performance.now();
    await room[Symbol.asyncDispose]();
    await room[Symbol.asyncDispose]();
    assert(performance.now() - startMs < 3_000, `${performance.now() - startMs} ms`);
    assertEquals(room.closed.reason, "closed");
  });

  it("is gone from the room once it has left", async () => {
    const roomName = newRoomName();
    await using caller = await call(roomName);
    const room = await join(roomName);
    await until(() => caller.agent(), "the agent");
    await room[Symbol.asyncDispose]();
    await until(() => caller.agent() === undefined, "the agent's leave", 1_000);
  });

  for (
    const [how, end] of [
      ["that it leaves", () => Promise.resolve()],
      ["that is deleted", (roomName: string) => admin().deleteRoom(roomName)],
    ] as const
  ) {
    it(`leaves nothing of a room ${how} in the native client`, async () => {
      const roomName = newRoomName();
      await using _caller = await call(roomName);
      const handles: bigint[] = [];
      const client = installFfiClient(fakeLog());
      const listener = ({ message }: FfiEvent) => {
        if (message.case === "publishTrack" && message.value.message.case === "publication") {
          handles.push(message.value.message.value.handle?.id ?? 0n);
        }
        if (message.case === "textStreamOpen" && message.value.result.case === "writer") {
          handles.push(message.value.result.value.handle?.id ?? 0n);
        }
        if (message.case !== "connect" || message.value.message.case !== "result") return;
        const { room, localParticipant, participants } = message.value.message.value;
        const owned = participants.flatMap(({ participant, publications }) => [participant, ...publications]);
        for (const { handle } of [room, localParticipant, ...owned].filter((one) => one !== undefined)) {
          handles.push(handle?.id ?? 0n);
        }
      };
      client.on(EVENT, listener);
      const room = await join(roomName);
      const before = handles.length;
      const said = ["SG_1", "SG_2"].map((id) => room.transcripts.agent(id));
      for (const { write } of said) write("Hello.");
      said[0]?.close(); // the other is open until the end
      await until(() => handles.length === before + said.length, "the transcripts");
      client.off(EVENT, listener);
      await end(roomName);
      if (how === "that is deleted") await until(() => room.closed.aborted, "the room's end");
      await room[Symbol.asyncDispose]();
      assert(before >= 4); // the room's, its two participants', the own track's, and perhaps the caller's
      for (const handle of handles) assertThrows(() => new FfiHandle(handle).dispose(), /invalid handle/);
    });
  }
});
