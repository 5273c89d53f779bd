import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import type { StageError } from "../../src/errors.ts";
import type { RoomVideo, VideoFrame } from "../../src/room/room.ts";
import type { VideoOptions } from "../../src/vision/options.ts";
import { createSight } from "../../src/vision/sight.ts";
import { fakeClock } from "../fakes/clock.ts";
import { blue, frameOf, lookAt, red } from "../fixtures/pictures.ts";

/** A session's sight of a camera that shows what `show` returns. */
function setUp(options: VideoOptions | undefined, show: () => VideoFrame | undefined = () => frameOf(red)) {
  const clock = fakeClock();
  const ended = new AbortController();
  const errors: StageError[] = [];
  const askedMs: number[] = [];
  const video: RoomVideo = {
    async frame() {
      askedMs.push(clock.now());
      return await Promise.resolve(show());
    },
  };
  let current = options;
  const sight = createSight({
    video,
    options: () => current,
    clock,
    signal: ended.signal,
    onError: (error) => errors.push(error),
  });
  return {
    sight,
    clock,
    ended,
    errors,
    askedMs,
    set options(next: VideoOptions) {
      current = next;
    },
    /** Lets `ms` pass, in steps between which pictures, which are made in real time, are finished. */
    async pass(ms: number) {
      for (const untilMs = clock.now() + ms; clock.now() < untilMs;) {
        const before = askedMs.length;
        await clock.advance(100);
        // The next is due once this one is made, or has failed.
        while (askedMs.length > before && clock.pending === 0) {
          await new Promise((made) => setTimeout(made, 1));
        }
      }
    },
  };
}

const colours = (sight: { readonly seen: readonly { readonly data: string }[] }) =>
  Promise.all(sight.seen.map(async ({ data }) => (await lookAt(Uint8Array.fromBase64(data))).colour));

describe("pictures for the user's turns", () => {
  it("are taken once in 3 s, and once a second while the user speaks", async () => {
    const { sight, pass, askedMs, ended, clock } = setUp({ sample: true });
    assertEquals(clock.pending, 0);
    sight.note({ type: "state-changed", state: "listening" });
    await pass(7_000);
    sight.note({ type: "user-started-speaking" });
    await pass(2_500);
    sight.note({ type: "user-stopped-speaking" });
    await pass(3_500);
    assertEquals(askedMs, [0, 3_000, 6_000, 7_000, 8_000, 9_000, 12_000]);
    ended.abort();
    assertEquals(clock.pending, 0);
  });

  it("are as many as the turn may have, the newest, and none of the turn before", async () => {
    let colour = red;
    const { sight, pass, ended } = setUp(
      { sample: true, keep: 2, speakingEveryMs: 500 },
      () => frameOf(colour),
    );
    sight.note({ type: "user-started-speaking" });
    await pass(1_200);
    assertEquals(await colours(sight), ["red", "red"]);
    colour = blue;
    await pass(500);
    assertEquals(await colours(sight), ["red", "blue"]);
    sight.turnEnded();
    assertEquals(sight.seen, []);
    await pass(500);
    assertEquals(await colours(sight), ["blue"]);
    ended.abort();
  });

  it("are not taken unless the agent in charge wants them", async () => {
    const call = setUp(undefined);
    call.sight.note({ type: "state-changed", state: "listening" });
    call.sight.note({ type: "user-started-speaking" });
    await call.pass(5_000);
    assertEquals([call.askedMs, call.clock.pending], [[], 0]);
    call.options = { sample: true };
    call.sight.note({ type: "state-changed", state: "listening" });
    await call.pass(100);
    assertEquals(call.askedMs.length, 1);
    call.options = {};
    await call.pass(5_000);
    assertEquals([call.askedMs.length, call.clock.pending], [1, 0]);
    call.ended.abort();
  });

  it("are none of what is not shown, and of failures only the first in a row is told", async () => {
    let show: () => VideoFrame | undefined = () => undefined;
    const { sight, pass, errors, ended } = setUp({ sample: true }, () => show());
    sight.note({ type: "user-started-speaking" });
    await pass(2_000);
    assertEquals([sight.seen, errors], [[], []]);
    show = () => ({ ...frameOf(red), width: 1_000 });
    await pass(3_000);
    assertEquals(errors.map(({ stage }) => stage), ["room"]);
    show = () => frameOf(red);
    await pass(1_000);
    show = () => ({ ...frameOf(red), width: 1_000 });
    await pass(1_000);
    assertEquals([errors.length, sight.seen.length], [2, 1]);
    ended.abort();
  });
});

describe("looking", () => {
  it("brings a picture of the size that the agent wants", async () => {
    const { sight } = setUp({ longestSide: 32 }, () => frameOf(blue, 100, 50));
    const picture = await sight.look();
    assert(picture);
    assertEquals(await lookAt(Uint8Array.fromBase64(picture.data)), {
      format: "jpeg",
      width: 32,
      height: 16,
      colour: "blue",
    });
  });

  it("brings nothing when nothing is shown, or no video is received", async () => {
    assertEquals(await setUp(undefined, () => undefined).sight.look(), undefined);
    const { signal } = new AbortController();
    const blind = createSight({
      video: undefined,
      options: () => ({}),
      clock: fakeClock(),
      signal,
      onError() {},
    });
    assertEquals(await blind.look(), undefined);
  });

  it("says so when there is no picture to be had", async () => {
    const { sight } = setUp({}, () => ({ ...frameOf(red), width: 1_000 }));
    await assertRejects(() => sight.look(), /a frame of the video is no picture/);
  });
});

describe("an agent's `video`", () => {
  const wrong: [video: VideoOptions, why: RegExp, autoSubscribe?: "audio"][] = [
    [{ sample: true }, /no video is received; expected `autoSubscribe: "all"`/, "audio"],
    [{ speakingEveryMs: 10 }, /speakingEveryMs is 10, .+ expected milliseconds, at least 100/],
    [{ otherwiseEveryMs: NaN }, /otherwiseEveryMs NaN; expected milliseconds/],
    [{ keep: 0 }, /video.keep is 0; expected a whole number, at least 1/],
    [{ longestSide: 5_000 }, /video.longestSide is 5000; expected pixels, 16 to 4096/],
  ];
  for (const [video, why, autoSubscribe = "all"] of wrong) {
    it(`is not ${JSON.stringify(video)}`, async () => {
      await assertRejects(async () => {
        await Promise.resolve();
        defineAgent({ instructions: "Look.", autoSubscribe, video });
      }, why);
    });
  }
});
