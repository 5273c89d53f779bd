/** smart-turn (https://github.com/pipecat-ai/smart-turn, BSD-2): tells by the sound whether somebody has finished. */
import { ConfigError, messageOf } from "../errors.ts";
import type { AudioTurnDetector } from "../turn/end_of_turn.ts";
import { sharedWorker } from "../worker.ts";

/** What the thread is asked; it answers with the probability (0–1) that the turn is over. */
export interface SmartTurnRequest {
  /** Where the model is. */
  readonly file: string;
  /** 16 kHz, one channel. */
  readonly samples: Int16Array;
}

/** A detector that all calls share; disposing of it ends its thread. */
export interface SmartTurn extends AudioTurnDetector, Disposable {}

/** The model takes 8 s. */
const WINDOW_MS = 8000;
/** It was trained on turns with about this much silence at their end. */
const SILENCE_MS = 200;

const holdThread = sharedWorker<SmartTurnRequest, number>({
  url: new URL("./smart_turn_worker.ts", import.meta.url),
  name: "smart-turn",
  stage: "turn",
});

/**
 * Loads version 3 of the model from `file` (ONNX) into a thread of its own: about 0.5 s and 80 MB, then 80–120 ms of CPU for an
 * answer. Rejects with a ConfigError when the file is not there, or is none.
 */
export async function loadSmartTurn(file: string): Promise<SmartTurn> {
  const there = await Deno.stat(file).then(({ isFile }) => isFile, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw unusable(file, error);
  });
  if (!there) {
    throw new ConfigError(
      `TURN_MODEL is ${JSON.stringify(file)}, but no such file is there; \`deno task turn-model\` fetches it`,
    );
  }
  const thread = holdThread();
  try {
    // The first answers are slower than all others: a caller should not wait for them.
    const { signal } = new AbortController();
    const noise = Int16Array.from({ length: WINDOW_MS * 16 }, (_, i) => i * i % 2003 - 1001);
    for (let i = 0; i < 2; i++) await thread.ask({ file, samples: noise }, { signal });
  } catch (error) {
    thread[Symbol.dispose]();
    throw unusable(file, error);
  }
  return {
    model: "smart-turn-v3",
    windowMs: WINDOW_MS,
    silenceMs: SILENCE_MS,
    endOfTurn: (samples, options) => thread.ask({ file, samples }, options),
    [Symbol.dispose]: () => thread[Symbol.dispose](),
  };
}

function unusable(file: string, error: unknown): ConfigError {
  return new ConfigError(`TURN_MODEL is ${JSON.stringify(file)}, which cannot be used: ${messageOf(error)}`);
}
