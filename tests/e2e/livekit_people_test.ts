/** Several people in one LiveKit room: a real livekit-server, and callers who speak, leave and load the page again. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { RoomServiceClient } from "livekit-server-sdk";
import { type AudioFrame, durationMs } from "../../src/audio/frame.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom, type LiveKitRoomOptions } from "../../src/room/livekit/room.ts";
import type { ParticipantVoice, Room } from "../../src/room/room.ts";
import { fakeLog } from "../fakes/log.ts";
import { loadClip } from "../fixtures/speech.ts";
import { joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
const options = { ignore: server === undefined };
afterAll(() => server?.[Symbol.asyncDispose]());

const access = () => server ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const newRoomName = () => `room-${crypto.randomUUID()}`;
const call = (roomName: string, identity: string) => joinCaller({ ...access(), roomName, identity });
const clip = await loadClip("one");

function join(roomName: string, given: Partial<LiveKitRoomOptions> = {}): Promise<Room> {
  return joinLiveKitRoom({
    ...access(),
    roomName,
    identity: "agent",
    agentName: "assistant",
    subscribe: "audio",
    participants: "all",
    leaveGraceMs: 300,
    clock,
    log: fakeLog(),
    signal: new AbortController().signal,
    ...given,
  });
}

/** What came of a microphone. */
interface Heard {
  readonly identity: string;
  /** Milliseconds that were louder than a quiet room. */
  loudMs: number;
  /** It has ended. */
  gone: boolean;
}

function hear(identity: string, microphone: ReadableStream<AudioFrame>): Heard {
  const heard: Heard = { identity, loudMs: 0, gone: false };
  const write = (frame: AudioFrame) => {
    if (frame.samples.some((sample) => Math.abs(sample) > 1_500)) heard.loudMs += durationMs(frame);
  };
  void microphone.pipeTo(new WritableStream({ write })).then(() => heard.gone = true);
  return heard;
}

/** Everybody who is heard, in the order in which they came. */
function listen(room: Room): Heard[] {
  const heard: Heard[] = [];
  const write = ({ participant, microphone }: ParticipantVoice) =>
    void heard.push(hear(participant.identity, microphone));
  void room.voices!.pipeTo(new WritableStream({ write }));
  return heard;
}

const of = (heard: readonly Heard[], identity: string) => heard.findLast((one) => one.identity === identity);
/** Waits until that one is there, and the agent can hear them: their track is on its way for a moment. */
const untilHeard = (heard: readonly Heard[], identity: string, ms: number) =>
  until(() => (of(heard, identity)?.loudMs ?? 0) > ms, `${identity} to be heard`);

describe("LiveKit room: several people", options, () => {
  it("hears each by themselves, whether they were there before or come later, and no agents", async () => {
    const roomName = newRoomName();
    await using anna = await call(roomName, "anna");
    await using _other = await join(roomName, { identity: "another-agent" });
    await using room = await join(roomName);
    const heard = listen(room);
    await until(() => of(heard, "anna"), "Anna");
    await using ben = await call(roomName, "ben");
    await until(() => of(heard, "ben"), "Ben");
    await anna.speak(clip.samples);
    await untilHeard(heard, "anna", 300);
    await clock.sleep(100);
    assertEquals(of(heard, "ben")?.loudMs, 0);
    const before = of(heard, "anna")!.loudMs;
    await ben.speak(clip.samples);
    await untilHeard(heard, "ben", 300);
    assertEquals(of(heard, "anna")?.loudMs, before);
    await Promise.all([anna.speak(clip.samples), ben.speak(clip.samples)]);
    await untilHeard(heard, "anna", before + 300);
    await untilHeard(heard, "ben", before + 300);
    assertEquals(heard.map(({ identity }) => identity), ["anna", "ben"]);
    assertEquals(room.droppedMs, 0);
  });

  it("shows everybody's words as theirs, and takes what each of them types", async () => {
    const roomName = newRoomName();
    await using anna = await call(roomName, "anna");
    await using ben = await call(roomName, "ben");
    await using room = await join(roomName);
    const heard = listen(room);
    await until(() => heard.length === 2, "both");
    await anna.speak(clip.samples);
    await ben.speak(clip.samples);
    await untilHeard(heard, "ben", 300);
    await until(() => ben.heard.length, "Ben's subscription");
    room.transcripts.user({ id: "user-0", text: "It is me.", final: true, speaker: "anna" });
    room.transcripts.user({ id: "user-1", text: "And me.", final: true, speaker: "ben" });
    await until(() => ben.transcripts.length === 2, "the transcripts");
    const trackOf = ({ room }: typeof anna) => [...room.localParticipant!.trackPublications.keys()][0];
    assertEquals(
      ben.transcripts.map((
        { identity, text, attributes },
      ) => [identity, text, attributes["lk.transcribed_track_id"]]),
      [["anna", "It is me.", trackOf(anna)], ["ben", "And me.", trackOf(ben)]],
    );
    const messages = room.messages!.getReader();
    for (const { room: own, identity } of [anna, ben]) {
      await own.localParticipant!.sendText("Hello?", { topic: "lk.chat" });
      const { value } = await messages.read();
      assert(value?.type === "text");
      assertEquals([value.text, value.from?.identity], ["Hello?", identity]);
    }
  });

  it("goes on when one leaves, and ends when the last has", async () => {
    const roomName = newRoomName();
    const anna = await call(roomName, "anna");
    const ben = await call(roomName, "ben");
    await using room = await join(roomName);
    const heard = listen(room);
    await until(() => heard.length === 2, "both");
    assertEquals((await room.waitForParticipant("anna")).identity, "anna");
    await anna.leave();
    await until(() => of(heard, "anna")?.gone, "Anna's voice to end");
    assertEquals([room.closed.aborted, room.participant?.identity], [false, "ben"]);
    await ben.speak(clip.samples);
    await untilHeard(heard, "ben", 300);
    await ben.leave();
    await until(() => room.closed.aborted, "the end");
    assertEquals(room.closed.reason, "participant-left");
    await until(() => of(heard, "ben")?.gone, "Ben's voice to end");
  });

  it("waits on for who is to come, though others come and leave", async () => {
    const roomName = newRoomName();
    await using room = await join(roomName);
    const waits = room.waitForParticipant("anna");
    const heard = listen(room);
    const ben = await call(roomName, "ben");
    await until(() => of(heard, "ben"), "Ben");
    await ben.leave();
    await until(() => of(heard, "ben")?.gone, "Ben's voice to end");
    await using _anna = await call(roomName, "anna");
    assertEquals((await waits).identity, "anna");
    assertEquals([room.closed.aborted, room.participant?.identity], [false, "anna"]);
  });

  it("hears whoever loads the page again with the same voice, and whoever returns later with a new one", async () => {
    const roomName = newRoomName();
    await using _anna = await call(roomName, "anna");
    await using ben = await call(roomName, "ben");
    await using room = await join(roomName);
    const heard = listen(room);
    await until(() => heard.length === 2, "both");
    await using again = await call(roomName, "ben"); // while the page before is still there
    await until(() => again.heard.length > 0, "the agent's audio");
    await again.speak(clip.samples);
    await untilHeard(heard, "ben", 300);
    assertEquals([heard.length, of(heard, "ben")?.gone], [2, false]);
    await ben.leave();
    await again.leave();
    await until(() => of(heard, "ben")?.gone, "Ben's voice to end");
    await using later = await call(roomName, "ben");
    await until(() => heard.length === 3, "Ben");
    await later.speak(clip.samples);
    await untilHeard(heard, "ben", 300);
    assertEquals(room.closed.aborted, false);
  });
});

describe("LiveKit room: the linked participant", options, () => {
  it("keeps the session when they load the page again while the one before is still there", async () => {
    const roomName = newRoomName();
    await using _before = await call(roomName, "caller");
    await using room = await join(roomName, { participants: "linked", leaveGraceMs: 10_000 });
    await room.waitForParticipant();
    const heard = hear("caller", room.microphone);
    for (let refresh = 0; refresh < 2; refresh++) {
      await using again = await call(roomName, "caller");
      await until(() => again.heard.length > 0, "the agent's audio");
      const before = heard.loudMs;
      await again.speak(clip.samples);
      await until(() => heard.loudMs > before + 300, "the caller to be heard");
    }
    assertEquals(room.closed.aborted, false);
  });

  it("hears nobody else, and others come and go", async () => {
    const roomName = newRoomName();
    await using _caller = await call(roomName, "caller");
    await using room = await join(roomName, { participants: "linked" });
    await room.waitForParticipant();
    const heard = hear("caller", room.microphone);
    const other = await call(roomName, "other");
    await other.speak(clip.samples);
    await other.leave();
    await clock.sleep(600);
    assertEquals([room.closed.aborted, room.participant?.identity, heard.loudMs], [false, "caller", 0]);
    await new RoomServiceClient(access().httpUrl, access().apiKey, access().apiSecret).deleteRoom(roomName);
    await until(() => room.closed.aborted, "the end");
    assertEquals(room.closed.reason, "room-deleted");
  });
});
