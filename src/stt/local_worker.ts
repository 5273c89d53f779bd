/// <reference lib="deno.worker" />
/** The thread of localSpeechToText(): models of huggingface.co through transformers.js and ONNX Runtime. */
import { messageOf } from "../errors.ts";
import type { WorkerMessage } from "../worker.ts";
import type { LocalProgress, LocalRequest } from "./local.ts";

/** Named here alone, where nothing finds it before it is needed: with what it brings it is larger than all else. */
const LIBRARY = "npm:@huggingface/transformers@4.3.1";
/** Where models are kept, in the working directory. */
const FOLDER = ".models";

/** What is used of the library. */
interface Transformers {
  readonly env: { cacheDir: string; useBrowserCache: boolean };
  pipeline(
    task: "automatic-speech-recognition",
    model: string,
    options: { readonly dtype: "q8"; readonly progress_callback: (progress: Progress) => void },
  ): Promise<Transcriber>;
}

type Transcriber = (
  samples: Float32Array,
  options: { readonly language?: string },
) => Promise<{ readonly text: string }>;

interface Progress {
  readonly status: string;
  readonly loaded?: number;
  readonly total?: number;
}

const models = new Map<string, Promise<Transcriber>>();
let told = 0;

self.onmessage = async ({ data }: MessageEvent<LocalRequest>) => {
  try {
    post({ type: "answer", answer: await transcribe(data) });
  } catch (error) {
    models.delete(data.model);
    post({ type: "error", error: messageOf(error) });
  }
};

function post(message: WorkerMessage<string, LocalProgress>): void {
  self.postMessage(message);
}

async function transcribe({ model, language, samples }: LocalRequest): Promise<string> {
  let loading = models.get(model);
  if (!loading) models.set(model, loading = load(model));
  const transcriber = await loading;
  if (!samples) return "";
  // Models that know only English refuse to be told the language.
  const options = language && !model.endsWith(".en") ? { language: language.replace(/-.*/, "") } : {};
  return (await transcriber(samples, options)).text;
}

async function load(model: string): Promise<Transcriber> {
  // The library takes a thread for a page and resolves its files against the page's address, which here is none.
  Reflect.deleteProperty(globalThis, "location");
  const { env, pipeline }: Transformers = await import(LIBRARY);
  env.cacheDir = FOLDER;
  env.useBrowserCache = false; // it prefers the platform's cache, which nobody finds
  return await pipeline("automatic-speech-recognition", model, {
    dtype: "q8",
    progress_callback({ status, loaded = 0, total = 0 }) {
      if (status !== "progress_total" || Math.floor(loaded / total * 100) === told) return;
      told = Math.floor(loaded / total * 100);
      post({ type: "progress", progress: { model, loaded, total } });
    },
  });
}
