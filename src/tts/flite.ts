/** A voice that needs no key: Flite in WebAssembly, on this machine. English only. */
import { ConfigError, StageError } from "../errors.ts";
import { perClause } from "./per_clause.ts";
import type { TextToSpeech } from "./tts.ts";

/** The voices that Flite brings at 16 kHz. `slt` is a woman's, the others are men's. */
export const fliteVoices = ["slt", "rms", "awb", "kal16"] as const;
export type FliteVoice = typeof fliteVoices[number];

/** What the worker is asked. */
export interface FliteRequest {
  readonly text: string;
  readonly voice: FliteVoice;
}

/** What it answers, a request at a time: samples in Flite's `output` format, or what went wrong. */
export type FliteAnswer = { readonly samples: Int16Array<ArrayBuffer> } | { readonly error: string };

/** Flite makes 16 kHz; the worker brings it to the rate that the rooms play. */
export const fliteOutput = { sampleRate: 24_000, channels: 1 } as const;

/**
 * Flite (https://github.com/festvox/flite), as a process-wide worker that all calls share: it starts with the first
 * session or reply that uses it (about 150 ms) and ends with the last. Throws a ConfigError when there is no such voice.
 */
export function fliteTextToSpeech({ voice = "slt" }: { readonly voice?: string } = {}): TextToSpeech {
  const known = fliteVoices.find((name) => name === voice);
  if (!known) throw new ConfigError(`flite has no voice "${voice}"; expected ${fliteVoices.join(", ")}`);
  const tts: TextToSpeech = {
    provider: "flite",
    model: known,
    output: fliteOutput,
    synthesize: (text, { signal }) =>
      perClause(text, {
        async *speak(clause, { signal }) {
          using worker = shareWorker();
          yield await worker.synthesize({ text: clause, voice: known }, signal);
        },
        hold: shareWorker,
        format: fliteOutput,
        signal,
      }),
    connect({ signal }) {
      if (!signal.aborted) {
        const worker = shareWorker();
        signal.addEventListener("abort", () => worker[Symbol.dispose](), { once: true });
      }
      return tts;
    },
  };
  return tts;
}

interface FliteWorker {
  /** How many hold it. */
  users: number;
  synthesize(request: FliteRequest, signal: AbortSignal): Promise<Int16Array>;
  end(): void;
}

interface Job {
  readonly request: FliteRequest;
  readonly answered: PromiseWithResolvers<Int16Array>;
}

let shared: FliteWorker | undefined;

/** The process's worker, until it is disposed of. */
function shareWorker(): Disposable & Pick<FliteWorker, "synthesize"> {
  const worker = shared ??= startWorker();
  worker.users++;
  return {
    synthesize: worker.synthesize,
    [Symbol.dispose]() {
      if (--worker.users > 0) return;
      worker.end();
      if (shared === worker) shared = undefined;
    },
  };
}

function startWorker(): FliteWorker {
  const worker = new Worker(new URL("./flite_worker.ts", import.meta.url), { type: "module", name: "flite" });
  /** In order; the first is with the worker. What is aborted while it waits never gets there. */
  const jobs: Job[] = [];
  const sendFirst = () => {
    if (jobs[0]) worker.postMessage(jobs[0].request);
  };

  worker.onmessage = ({ data }: MessageEvent<FliteAnswer>) => {
    const job = jobs.shift();
    if ("samples" in data) job?.answered.resolve(data.samples);
    else job?.answered.reject(new StageError("tts", `flite: ${data.error}`));
    sendFirst();
  };
  // The thread itself failed: it could not be loaded, or ran out of memory. The next one to ask gets another.
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    if (shared === flite) shared = undefined;
    for (const { answered } of jobs.splice(0)) {
      answered.reject(new StageError("tts", `flite stopped: ${event.message}`, { retryable: true }));
    }
  };

  const flite: FliteWorker = {
    users: 0,
    end: () => worker.terminate(),
    async synthesize(request, signal) {
      signal.throwIfAborted();
      const job: Job = { request, answered: Promise.withResolvers() };
      const abort = () => {
        job.answered.reject(signal.reason);
        const at = jobs.indexOf(job);
        if (at > 0) jobs.splice(at, 1);
      };
      signal.addEventListener("abort", abort, { once: true });
      if (jobs.push(job) === 1) sendFirst();
      try {
        return await job.answered.promise;
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  };
  return flite;
}
