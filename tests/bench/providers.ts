/**
 * `deno task bench:providers [--runs 200] [--only NAME]`: the time that each provider's file adds until the first result,
 * against the emulator of its wire protocol: from the input to its first byte on the wire, and from the result on the wire
 * to its event. Provider and emulator share this process. Fails where a median is 5 ms or more.
 */
import { parseArgs } from "node:util";
import { systemClock } from "../../src/clock.ts";
import type { LanguageModel } from "../../src/llm/llm.ts";
import { createModels } from "../../src/models.ts";
import type { SpeechStages } from "../../src/realtime/realtime.ts";
import { type Row, rows } from "../conformance/providers.ts";
import { fastClock } from "../fakes/fast_clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { asked, heard, type Requests, spoken } from "./provider_runs.ts";
import { type Spread, spread } from "./results.ts";
import { tapWire, type WireTap } from "./wire_tap.ts";

/** The most that a provider's file may add, at the median; milliseconds. */
const mostMs = 5;
/** Before they are measured: the first ones load and compile what they need. */
const warmUps = 10;
/** Between two requests, so that the one before has ended everywhere; milliseconds. */
const pauseMs = 20;
/** How much faster than real time emulators and providers wait. */
const speed = 10;

const { values } = parseArgs({
  options: { runs: { type: "string", default: "200" }, only: { type: "string", default: "" } },
});

/** What HTTP puts between the pieces of a body is left out. */
const bodyOf = (sent: string): string => sent.replaceAll(/\r\n[0-9a-f]+\r\n/g, "");
/** A server-sent event, or a message on a socket, with words of the conformance suite; a frame of audio, or a piece of it. */
const hasResult: Readonly<Record<Row["kind"], (sent: string) => boolean>> = {
  LLM: (sent) => /Hello[^\n]*\n\n/.test(bodyOf(sent)),
  STT: (sent) =>
    sent.includes("event-stream")
      ? /(where|and) [^\n]*\n\n/i.test(bodyOf(sent))
      : /\b(where|and)\b[^]*?\}/i.test(sent),
  speech: (sent) => sent.includes("response.output_audio_transcript.delta"),
  TTS: (sent) => /^\x82|"audio":|"data":|^HTTP[^]*?\r\n\r\n[^]*?\r\n[^]/.test(sent),
};

interface Added {
  readonly sendMs: Spread;
  readonly tellMs: Spread;
  readonly bothMs: Spread;
}

async function measure(row: Row, runs: number): Promise<Added> {
  const clock = fastClock(speed);
  await using served = await row.serve(undefined, clock);
  const [[account, { apiKey = "", baseUrl = "" }] = ["", {}]] = Object.entries(served.keys);
  const { port, pathname } = new URL(baseUrl);
  await using tap = await tapWire(Number(port), hasResult[row.kind]);
  const tapped = `http://127.0.0.1:${tap.port}${pathname.replace(/\/$/, "")}`;
  const over = new AbortController();
  const models = createModels({ [account]: { apiKey, baseUrl: tapped }, clock, log });
  const requests = row.kind === "STT"
    ? heard(models.stt(row.name))
    : row.kind === "LLM"
    ? asked(models.llm(row.name))
    : row.kind === "speech"
    ? asked(connected(models.speech(row.name), over.signal))
    : spoken(models.tts(row.name));
  const added: { readonly sendMs: number; readonly tellMs: number }[] = [];
  for (let i = -warmUps; i < runs; i++) {
    await systemClock.sleep(pauseMs);
    const one = await once(requests, tap);
    if (i >= 0) added.push(one);
  }
  await requests.end();
  over.abort();
  return {
    sendMs: spread(added.map(({ sendMs }) => sendMs))!,
    tellMs: spread(added.map(({ tellMs }) => tellMs))!,
    bothMs: spread(added.map(({ sendMs, tellMs }) => sendMs + tellMs))!,
  };
}

/** A model that hears and speaks is connected for as long as a session lasts. */
function connected({ llm, tts }: SpeechStages, signal: AbortSignal): LanguageModel {
  tts.connect?.({ signal });
  return llm;
}

async function once({ next }: Requests, tap: WireTap) {
  let toldMs: number | undefined;
  tap.reset();
  const givenMs = performance.now();
  await next(() => toldMs ??= performance.now());
  const { sentMs, cameMs } = tap.passed;
  if (sentMs === undefined || cameMs === undefined || toldMs === undefined) {
    throw new Error("no result was seen on the wire");
  }
  return { sendMs: sentMs - givenMs, tellMs: toldMs - cameMs };
}

const line = (cells: readonly string[]) => console.log(`| ${cells.join(" | ")} |`);
line(["", "input → wire", "wire → event", "both, median", "both, p95"]);
line(["---", "--:", "--:", "--:", "--:"]);
let slow = 0;
for (const row of rows.filter(({ name }) => name.startsWith(values.only))) {
  const { sendMs, tellMs, bothMs } = await measure(row, Number(values.runs));
  const times = [sendMs.p50, tellMs.p50, bothMs.p50, bothMs.p95].map((ms) => ms.toFixed(1));
  line([`${row.kind} \`${row.name}\``, ...times]);
  if (!(bothMs.p50 < mostMs)) slow++;
}
console.log("\nMilliseconds.");
if (slow > 0) Deno.exit(1);
