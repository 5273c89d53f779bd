/** Speech recognition on this machine, by a model that is downloaded on first use. */
import type { Clock } from "../clock.ts";
import { sharedWorker, type WorkerHold } from "../worker.ts";
import { segmentedSpeechToText } from "./segments.ts";
import type { SpeechToText, TranscriptEvent } from "./stt.ts";

/** The first answer may wait for the download of the model, and every one for a slow machine. */
const PATIENCE_MS = 120_000;
/** Characters of the progress bar. */
const BAR = 24;

/** What the thread is asked; it answers with the text. */
export interface LocalRequest {
  readonly model: string;
  readonly language?: string;
  /** 16 kHz mono, -1 to 1; left out, the model is only loaded. */
  readonly samples?: Float32Array<ArrayBuffer>;
}

/** How much of a model is there, in bytes. */
export interface LocalProgress {
  readonly model: string;
  readonly loaded: number;
  readonly total: number;
}

export interface LocalSpeechToTextOptions {
  /** A repository of huggingface.co with ONNX files, such as `onnx-community/whisper-base`. */
  readonly model: string;
  /** BCP 47; for models that know several. */
  readonly language?: string | undefined;
  readonly clock: Clock;
  /** Holds what transcribes (default: the process's one thread with transformers.js). */
  readonly hold?: () => WorkerHold<LocalRequest, string>;
}

const holdTransformers = sharedWorker<LocalRequest, string, LocalProgress>({
  url: new URL("./local_worker.ts", import.meta.url),
  name: "local speech recognition",
  stage: "stt",
  onProgress: (progress) => {
    if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(progressLine(progress)));
  },
});

/**
 * Transcribes speech each time it pauses, with https://huggingface.co/docs/transformers.js in a thread of its own, since
 * a transcription takes seconds of CPU. The library and the model are downloaded when the first session begins, and
 * leave the memory with the last.
 */
export function localSpeechToText(
  { model, language, clock, hold = holdTransformers }: LocalSpeechToTextOptions,
): SpeechToText {
  const request: LocalRequest = { model, ...(language && { language }) };
  const segmented = segmentedSpeechToText({
    provider: "local",
    model,
    async *transcribe(recording, { signal }) {
      using transcriber = hold();
      const samples = Float32Array.from(recording, (sample) => sample / 32_768);
      yield await transcriber.ask({ ...request, samples }, { signal });
    },
    patienceMs: PATIENCE_MS,
    clock,
  });

  /** The model is loaded from the first moment on, and kept to the last. */
  const transcribe = async function* (
    ...[voice, { signal, ...options }]: Parameters<SpeechToText["transcribe"]>
  ): AsyncGenerator<TranscriptEvent> {
    using transcriber = hold();
    const over = new AbortController();
    const cut = AbortSignal.any([signal, over.signal]);
    transcriber.ask(request, { signal: cut }).catch((error) => over.abort(error)); // fails the transcripts
    try {
      yield* segmented.transcribe(voice, { ...options, signal: cut });
    } finally {
      over.abort();
    }
  };
  return {
    ...segmented,
    transcribe: (...given) => ReadableStream.from(transcribe(...given)),
  };
}

/** A line for a terminal, in place of the one before; the last one ends it. */
export function progressLine({ model, loaded, total }: LocalProgress): string {
  const part = total > 0 ? Math.min(1, loaded / total) : 0;
  const bar = "█".repeat(Math.floor(part * BAR)).padEnd(BAR, "░");
  const percent = `${Math.floor(part * 100)}`.padStart(3);
  return `\r${model} ${bar} ${percent} % of ${Math.round(total / 1e6)} MB${part === 1 ? "\n" : ""}`;
}
