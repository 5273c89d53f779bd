/** Silero's voice model (https://github.com/snakers4/silero-vad, MIT) through ONNX Runtime. */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { AudioFormat, AudioFrame } from "../audio/frame.ts";
import { asStageError, StageError } from "../errors.ts";
import { batched, type Infer, type SileroModel, type SileroStream, WINDOW } from "./batch.ts";
import type { VoiceActivityDetector, VoiceEvent, VoiceOptions } from "./vad.ts";
import { afterGap, isSpeech, SILENT, voice, type VoiceState } from "./voice.ts";

export type { SileroModel };

const INPUT: AudioFormat = { sampleRate: 16000, channels: 1 };
const WINDOW_MS = WINDOW / INPUT.sampleRate * 1000;

/** Audio missing for longer than this (ms) is a gap: what was heard before it says nothing about what follows. */
const GAP_MS = 200;

/**
 * The loudest sample (of 32,768, -54 dB) of a window that holds no voice: of a microphone that is muted, or whose noise was
 * taken out. The model, which costs more than all else that is done with the audio, is not asked about it.
 */
const QUIET = 64;

let loaded: Promise<SileroModel> | undefined;

/**
 * The process's one Silero model; the first call loads it (about 0.2 s and 60 MB). Rejects with a StageError of stage
 * "vad" when that fails; the next call tries again.
 */
export function loadSilero(): Promise<SileroModel> {
  loaded ??= load().catch((error) => {
    loaded = undefined;
    throw asStageError("vad", error);
  });
  return loaded;
}

async function load(): Promise<SileroModel> {
  // Imported here and not above: the library brings native code that an agent with another detector does not need.
  const ort = await import("onnxruntime-node");
  const file = await Deno.readFile(
    new URL(import.meta.resolve("@ricky0123/vad-web/dist/silero_vad_v6.onnx")),
  );
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ["cpu"],
    // More threads cost more than they bring for so small a model, and they would take the cores from other calls.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const sampleRate = new ort.Tensor("int64", BigInt64Array.of(BigInt(INPUT.sampleRate)), []);
  return batched(inferWith(session, ort.Tensor, sampleRate));
}

function inferWith(session: InferenceSession, tensor: typeof Tensor, sampleRate: Tensor): Infer {
  return async ({ input, state, count }) => {
    const { output, stateN } = await session.run({
      input: new tensor("float32", input, [count, input.length / count]),
      state: new tensor("float32", state, [2, count, 128]),
      sr: sampleRate,
    });
    return { probabilities: floats(output), state: floats(stateN) };
  };
}

function isQuiet(window: Int16Array): boolean {
  for (let i = 0; i < window.length; i++) if (Math.abs(window[i] ?? 0) > QUIET) return false;
  return true;
}

function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new TypeError(`the voice model answered ${tensor?.type ?? "nothing"}; expected float32`);
}

/**
 * A detector on Silero's model (default: the process's own, loaded by the first stream). A frame that fills no window
 * passes on at once; one that fills a window waits for the model's answer (under 1 ms when the machine is idle), so that
 * the marks stand before it.
 */
export function sileroDetector(
  options: VoiceOptions & { readonly model?: SileroModel } = {},
): VoiceActivityDetector {
  const { model, ...given } = options;
  const settings: Required<VoiceOptions> = {
    activationThreshold: 0.5,
    minSpeechMs: 64,
    minSilenceMs: 400,
    prefixPaddingMs: 100,
    ...given,
  };
  return {
    model: "silero-v6",
    input: INPUT,
    detect: ({ signal } = {}) => detect(model, settings, signal),
  };
}

function detect(
  model: SileroModel | undefined,
  options: Required<VoiceOptions>,
  signal?: AbortSignal,
): TransformStream<AudioFrame, VoiceEvent> {
  let stream: SileroStream;
  const window = new Int16Array(WINDOW);
  let filled = 0;
  let nextMs: number | undefined;
  let state: VoiceState = SILENT;
  const over = new AbortController();

  return new TransformStream({
    async start(controller) {
      const abort = () => controller.error(signal?.reason);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true, signal: over.signal });
      stream = (model ?? await loadSilero()).open();
    },
    async transform(frame, controller) {
      try {
        if (frame.sampleRate !== INPUT.sampleRate || frame.channels !== INPUT.channels) {
          throw new StageError(
            "vad",
            `the voice detector got ${frame.sampleRate} Hz in ${frame.channels} channels; expected 16000 Hz in 1`,
          );
        }
        if (nextMs !== undefined && frame.timestampMs - nextMs > GAP_MS) {
          stream.reset();
          filled = 0;
          state = afterGap(state);
        }
        for (let read = 0; read < frame.samples.length;) {
          const part = frame.samples.subarray(read, read + WINDOW - filled);
          window.set(part, filled);
          filled += part.length;
          read += part.length;
          if (filled < WINDOW) break;
          filled = 0;
          let probability = 0;
          if (state.type === "silent" && isQuiet(window)) stream.skip(window);
          else probability = await stream.probability(window, { signal });
          if (over.signal.aborted) return; // nobody reads any more
          const endMs = frame.timestampMs + read / INPUT.sampleRate * 1000;
          const next = voice(state, { probability, startMs: endMs - WINDOW_MS, endMs }, options);
          state = next.state;
          for (const mark of next.marks) controller.enqueue(mark);
        }
        nextMs = frame.timestampMs + frame.samples.length / INPUT.sampleRate * 1000;
        controller.enqueue({ type: "audio", frame, speech: isSpeech(state) });
      } catch (error) {
        over.abort();
        throw signal?.aborted ? signal.reason : asStageError("vad", error);
      }
    },
    flush: () => over.abort(),
    cancel: () => over.abort(),
  });
}
