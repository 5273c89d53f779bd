/** Sound behind the agent's voice, as a caller hears it through a real livekit-server. */
import { assert } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import type { AudioFrame } from "../../src/audio/frame.ts";
import type { Mixer } from "../../src/audio/mixer.ts";
import { playBackground } from "../../src/background.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import { fakeLog } from "../fakes/log.ts";
import { type HeardFrame, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const server = await startLiveKitServer();
const options = { ignore: server === undefined };
afterAll(() => server?.[Symbol.asyncDispose]());

const sampleRate = 24_000;
const [ambienceHz, voiceHz] = [1500, 400];

const tone = (ms: number, hertz: number, level: number) =>
  Int16Array.from(
    { length: ms * sampleRate / 1000 },
    (_, i) => level * Math.sin(2 * Math.PI * hertz * i / sampleRate),
  );

/** How loud the tone of `hertz` is in what was heard between two moments, 0–1 (Goertzel over 20 ms, the median). */
function loudness(heard: readonly HeardFrame[], hertz: number, fromMs: number, toMs: number): number {
  const levels = heard.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ samples }) => {
    let [re, im] = [0, 0];
    samples.forEach((sample, i) => {
      re += sample / 32_768 * Math.cos(2 * Math.PI * hertz * i / 16_000);
      im += sample / 32_768 * Math.sin(2 * Math.PI * hertz * i / 16_000);
    });
    return 2 * Math.hypot(re, im) / samples.length;
  });
  return levels.toSorted((a, b) => a - b)[levels.length >> 1] ?? NaN;
}

describe("background audio in a LiveKit room", options, () => {
  it("is heard all the time, turned down under the voice, which is cut off as fast as without it", async () => {
    const access = server ?? { url: "", apiKey: "", apiSecret: "" };
    const roomName = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ ...access, roomName });
    await using room = await joinLiveKitRoom({
      ...access,
      roomName,
      identity: "agent",
      agentName: "assistant",
      subscribe: "audio",
      clock,
      log: fakeLog(),
      signal: new AbortController().signal,
    });
    await until(() => caller.heard.length > 10, "the agent's track");
    assert(room.background);
    const ambience = { samples: tone(1000, ambienceHz, 6000), sampleRate };
    playBackground(room.background, { ambience }, {
      onError: (error) => {
        throw error;
      },
    });
    const beganMs = await caller.untilSpeech();
    await clock.sleep(2000);

    const abort = new AbortController();
    const playout = room.speaker.open({ signal: abort.signal });
    const writer = playout.writable.getWriter();
    const spokenMs = performance.now();
    const frame: AudioFrame = {
      samples: tone(5000, voiceHz, 9000),
      sampleRate,
      channels: 1,
      timestampMs: 0,
    };
    writer.write(frame).catch(() => {});
    await clock.sleep(1500);
    const abortedMs = performance.now();
    abort.abort();
    const { playedMs, interrupted } = await playout.done;
    await clock.sleep(2500);
    const endMs = performance.now();

    const { heard } = caller;
    const of = (hertz: number, fromMs: number, toMs: number) => loudness(heard, hertz, fromMs, toMs);
    const alone = of(ambienceHz, beganMs + 800, spokenMs);
    assert(alone > 0.1, `the ambience is heard at ${alone}`);
    const voice = of(voiceHz, spokenMs + 400, abortedMs);
    assert(voice > 0.15, `the voice is heard at ${voice}`);
    const under = of(ambienceHz, spokenMs + 400, abortedMs) / alone;
    assert(under > 0.15 && under < 0.4, `under the voice the ambience is at ${under} of its loudness`);
    const after = of(ambienceHz, abortedMs + 1300, endMs) / alone;
    assert(after > 0.8, `after the voice it is at ${after}`);

    assert(interrupted && Math.abs(playedMs - 1500) < 150, `${playedMs} ms were played`);
    const lastVoiced = heard.findLast((one) => loudness([one], voiceHz, 0, Infinity) > voice / 3)?.atMs ??
      NaN;
    assert(lastVoiced - abortedMs < 200, `the voice was silent after ${lastVoiced - abortedMs} ms`);
    const silent = heard.filter(({ atMs, level }) => atMs > beganMs + 800 && atMs < endMs && level < 0.005);
    // A machine that is busy with something else for longer than what is queued makes gaps, which are counted.
    const { underruns } = room.background as Mixer;
    assert(silent.length === 0 || underruns > 0, `${silent.length * 20} ms of gaps, none of them counted`);
  });
});
