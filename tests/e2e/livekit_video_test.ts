/** What the agent sees through a real livekit-server. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import type { Room, VideoFrame, VideoSource } from "../../src/room/room.ts";
import { fakeLog } from "../fakes/log.ts";
import { blue, type Colour, green, isClose, red } from "../fixtures/pictures.ts";
import { joinCaller, until } from "./caller.ts";
import { publishCamera } from "./camera.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
const options = { ignore: server === undefined };
afterAll(() => server?.[Symbol.asyncDispose]());

const access = () => server ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const { signal } = new AbortController();

/** A caller and an agent in a room of their own. */
async function meet(subscribe: "audio" | "all" = "all") {
  const roomName = `video-${crypto.randomUUID()}`;
  const caller = await joinCaller({ ...access(), roomName });
  const log = fakeLog();
  const identity = "agent";
  const room = await joinLiveKitRoom({
    ...access(),
    roomName,
    identity,
    agentName: "vision",
    subscribe,
    clock,
    log,
    signal,
  });
  await room.waitForParticipant();
  return {
    caller,
    room,
    log,
    async [Symbol.asyncDispose]() {
      await room[Symbol.asyncDispose]();
      await caller[Symbol.asyncDispose]();
    },
  };
}

/** The colour in the middle of a frame. */
function colourOf(frame: VideoFrame | undefined): Colour | undefined {
  if (!frame) return undefined;
  const at = 3 * (frame.width * Math.floor(frame.height / 2) + Math.floor(frame.width / 2));
  const [r = 0, g = 0, b = 0] = frame.rgb.subarray(at, at + 3);
  return [r, g, b];
}

/** Waits until the agent sees `colour`. */
const seen = (room: Room, colour: Colour | undefined, source?: VideoSource) =>
  until(async () => {
    const frame = await room.video?.frame({ source, signal });
    return (colour ? isClose(colourOf(frame), colour) : frame === undefined) ? { frame } : undefined;
  }, `a frame of ${colour} from the ${source}`);

describe("LiveKit room: video", options, () => {
  it("brings the newest frame of the camera, each time that one is asked for", async () => {
    await using met = await meet();
    const { room, caller } = met;
    assertEquals(await room.video?.frame({ signal }), undefined);
    await using camera = await publishCamera(caller.room, { colour: red, width: 640, height: 360 });
    const { frame } = await seen(room, red);
    assert(frame);
    assertEquals([frame.rotation, frame.rgb.length], [0, frame.width * frame.height * 3]);
    camera.colour = blue;
    await seen(room, blue);
    assertEquals(await room.video?.frame({ source: "screen", signal }), undefined);
  });

  it("brings the screen while it is shown, and the camera where it is asked for", async () => {
    await using met = await meet();
    const { room, caller } = met;
    await using _camera = await publishCamera(caller.room, { colour: red });
    await seen(room, red);
    {
      await using _screen = await publishCamera(caller.room, { source: "screen", colour: green, fps: 5 });
      await seen(room, green);
      await seen(room, red, "camera");
    }
    await seen(room, red);
    await seen(room, undefined, "screen");
  });

  it("brings nothing of what was turned off, and then only what is shown anew", async () => {
    await using met = await meet();
    const { room, caller } = met;
    await using camera = await publishCamera(caller.room, { colour: red });
    await seen(room, red);
    camera.mute(true);
    await seen(room, undefined);
    camera.colour = green;
    camera.mute(false);
    const { frame } = await until(async () => {
      const frame = await room.video?.frame({ signal });
      return frame && { frame };
    }, "a frame");
    assert(isClose(colourOf(frame), green), `${colourOf(frame)}`);
  });

  it("brings nothing where only audio is received, and after the room has ended", async () => {
    await using deaf = await meet("audio");
    assertEquals(deaf.room.video, undefined);
    const met = await meet();
    await using _camera = await publishCamera(met.caller.room, { colour: red });
    await seen(met.room, red);
    await assertRejects(
      async () => await met.room.video?.frame({ signal: AbortSignal.abort(new Error("not wanted")) }),
      /not wanted/,
    );
    await met[Symbol.asyncDispose]();
    assertEquals(await met.room.video?.frame({ signal }), undefined);
    assertEquals(met.log.lines.filter(({ level }) => level === "error"), []);
  });
});
