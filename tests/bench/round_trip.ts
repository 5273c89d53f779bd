/**
 * How long sound is on its way to the server and back, when the agent says at once what it hears: over the page's socket,
 * and in a LiveKit room. Writes a line for people.
 *
 * The page's time is that of the network and the server, from message to message: its own buffers are not in it. LiveKit's
 * is from a sample handed to the client to a sample that came out of its decoder: codec and jitter buffers are in it.
 */
import { systemClock as clock } from "../../src/clock.ts";
import { joinLiveKitRoom } from "../../src/room/livekit/room.ts";
import { startBrowser } from "../e2e/browser.ts";
import { joinCaller, until } from "../e2e/caller.ts";
import { startLiveKitServer } from "../e2e/livekit_server.ts";
import { recordRoundTrips, untilLouder } from "../e2e/page_probe.ts";
import { startPageServer } from "../e2e/page_server.ts";
import { silentLog } from "../fakes/log.ts";
import { sayBack } from "../fakes/scripted_call.ts";
import { generate } from "../fixtures/speech.ts";
import { spread } from "./results.ts";

const pageMs = 5_000;
const bursts = 12;
const burst = generate(100, (seconds) => 0.5 * Math.sin(2 * Math.PI * 440 * seconds));

async function throughPage(): Promise<string> {
  const microphone = new URL("../fixtures/speech/one.wav", import.meta.url).pathname;
  await using browser = await startBrowser({ microphone });
  if (!browser) return "not measured";
  await using server = startPageServer({ echo: true });
  const { page } = await browser.open();
  const probe = await recordRoundTrips(page);
  await page.goto(server.url);
  await page.click("#talk");
  await untilLouder(page);
  await clock.sleep(pageMs);
  const { medianMs, p95Ms } = await probe.result();
  return `${medianMs} / ${p95Ms} ms`;
}

async function throughLiveKit(): Promise<string> {
  await using livekit = await startLiveKitServer();
  if (!livekit) return "not measured";
  const roomName = "round-trip";
  const { signal } = new AbortController();
  await using caller = await joinCaller({ ...livekit, roomName });
  const about = { identity: "agent", agentName: "echo", subscribe: "audio" } as const;
  await using room = await joinLiveKitRoom({ ...livekit, ...about, roomName, clock, log: silentLog, signal });
  await room.waitForParticipant();
  void sayBack(room, signal); // it ends with the room
  await until(() => caller.heard.length > 50, "the agent's track");
  const trips: number[] = [];
  for (let n = 0; n < bursts; n++) {
    const sinceMs = performance.now();
    const sent = caller.speak(burst);
    trips.push(await caller.untilSpeech({ sinceMs }) - sinceMs);
    await sent;
    await caller.untilQuiet();
  }
  const { p50, p95 } = spread(trips) ?? { p50: NaN, p95: NaN };
  return `${Math.round(p50)} / ${Math.round(p95)} ms`;
}

const [page, livekit] = [await throughPage(), await throughLiveKit()];
console.log(`Sound to the server and back, p50 / p95: the page's socket ${page}, a LiveKit room ${livekit}.`);
Deno.exit(0); // the native client keeps threads
