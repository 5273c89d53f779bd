/** Runs Silero's model for many streams at once: a window in a batch of 4 costs a third of a window alone. */
import { setImmediate } from "node:timers";
import { type Clock, systemClock } from "../clock.ts";

/** Samples of one window at 16 kHz: 32 ms. */
export const WINDOW = 512;
/** Samples of the window before that the model sees again. */
const CONTEXT = 64;
const INPUT = CONTEXT + WINDOW;
/** The recurrent state of a stream: LAYERS rows of UNITS. */
const LAYERS = 2;
const UNITS = 128;
/** So long after a run has begun windows of several streams are gathered for the next, in milliseconds. */
const GATHER_MS = 8;

/** One run of the model over `count` windows. */
export interface Inference {
  /** `count` × 576 samples, -1 to 1: 64 of the window before, then the window. */
  readonly input: Float32Array;
  /** 2 × `count` × 128. */
  readonly state: Float32Array;
  readonly count: number;
}

/** Runs the model: one probability (0–1) a window, and the state for the next run, shaped as the one it got. */
export type Infer = (
  batch: Inference,
) => Promise<{ readonly probabilities: Float32Array; readonly state: Float32Array }>;

/** One stream's memory in the model. */
export interface SileroStream {
  /**
   * The probability that `window` (512 samples, 16 kHz) holds a voice, 0–1. Windows go in order: the one before must
   * have settled. Rejects with the model's own error, or with the signal's reason as soon as it aborts.
   */
  probability(window: Int16Array, options?: { readonly signal?: AbortSignal | undefined }): Promise<number>;
  /** Takes in a `window` of silence without asking the model. */
  skip(window: Int16Array): void;
  /** Forgets what was heard before, as after a gap. */
  reset(): void;
}

/** The model, as any number of streams share it. */
export interface SileroModel {
  /** Begins a stream. Nothing needs to be closed: it holds only its own memory. */
  open(): SileroStream;
}

interface Request {
  readonly input: Float32Array;
  readonly state: Float32Array;
  readonly resolve: (probability: number) => void;
  readonly reject: (reason: unknown) => void;
}

export interface BatchOptions {
  readonly clock?: Clock;
  /** Puts a callback after what is ready to happen now. */
  readonly defer?: (callback: () => void) => void;
}

/**
 * Shares one model between streams. Windows that come in the same turn of the event loop, while a run is under way, or
 * shortly after it has begun go into one run; a stream that is alone never waits.
 */
export function batched(
  infer: Infer,
  { clock = systemClock, defer = setImmediate }: BatchOptions = {},
): SileroModel {
  const waiting = new Set<Request>();
  let running = false;
  let begunMs = -Infinity;
  /** Whose windows were in the last run. */
  let served: readonly Request["state"][] = [];

  const isAlone = () => served.length <= 1 && [...waiting].every(({ state }) => served.includes(state));
  const schedule = () => {
    if (running || waiting.size === 0) return;
    running = true;
    const restMs = begunMs + GATHER_MS - clock.now();
    if (restMs <= 0 || isAlone()) defer(run);
    else clock.after(restMs, run);
  };
  const run = async () => {
    const requests = [...waiting];
    waiting.clear();
    begunMs = clock.now();
    served = requests.map(({ state }) => state);
    try {
      if (requests.length > 0) settle(requests, await infer(join(requests)));
    } catch (error) {
      for (const request of requests) request.reject(error);
    } finally {
      running = false;
      schedule();
    }
  };

  const open = (): SileroStream => {
    const input = new Float32Array(INPUT);
    const state = new Float32Array(LAYERS * UNITS);
    const take = (window: Int16Array) => {
      input.copyWithin(0, WINDOW);
      for (let i = 0; i < WINDOW; i++) input[CONTEXT + i] = (window[i] ?? 0) / 32768;
    };
    return {
      skip: take,
      async probability(window, { signal } = {}) {
        signal?.throwIfAborted();
        take(window);
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        const request = { input, state, resolve, reject };
        const abort = () => {
          waiting.delete(request);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        waiting.add(request);
        schedule();
        try {
          return await promise;
        } finally {
          signal?.removeEventListener("abort", abort);
        }
      },
      reset() {
        input.fill(0);
        state.fill(0);
      },
    };
  };
  return { open };
}

function join(requests: readonly Request[]): Inference {
  const count = requests.length;
  const input = new Float32Array(count * INPUT);
  const state = new Float32Array(LAYERS * count * UNITS);
  requests.forEach((request, i) => {
    input.set(request.input, i * INPUT);
    for (let layer = 0; layer < LAYERS; layer++) {
      state.set(request.state.subarray(layer * UNITS, (layer + 1) * UNITS), (layer * count + i) * UNITS);
    }
  });
  return { input, state, count };
}

function settle(requests: readonly Request[], result: Awaited<ReturnType<Infer>>): void {
  const count = requests.length;
  if (result.probabilities.length !== count || result.state.length !== LAYERS * count * UNITS) {
    throw new Error(
      `the voice model answered ${result.probabilities.length} probabilities and ${result.state.length} numbers of ` +
        `state; expected ${count} and ${LAYERS * count * UNITS}`,
    );
  }
  requests.forEach((request, i) => {
    for (let layer = 0; layer < LAYERS; layer++) {
      const from = (layer * count + i) * UNITS;
      request.state.set(result.state.subarray(from, from + UNITS), layer * UNITS);
    }
    request.resolve(result.probabilities[i] ?? NaN);
  });
}
