/** Streams that are written down as they pass by. */
import { failureOf, type Recorder } from "./recorder.ts";
import type { EntryBody, Source } from "./recording.ts";
import type { Stage } from "../errors.ts";

const stages: Readonly<Record<Source, Stage>> = {
  vad: "vad",
  stt: "stt",
  llm: "llm",
  tts: "tts",
  text: "llm",
  say: "agent",
  turn: "turn",
  tool: "agent",
  entry: "agent",
};

/**
 * Passes `stream` on, item by item as it is read, and writes each down as `itemOf` makes it; reads nothing ahead. What
 * nobody reads to its end, or `signal` has ended, has no end in the recording.
 */
export function recordedStream<T>(
  stream: ReadableStream<T>,
  { recorder, of, run, signal, itemOf = (item) => item }: {
    readonly recorder: Recorder;
    readonly of: Source;
    readonly run: number;
    readonly signal?: AbortSignal;
    readonly itemOf?: (item: T) => unknown;
  },
): ReadableStream<T> {
  const reader = stream.getReader();
  let cancelled = false;
  const note = (body: EntryBody) => {
    if (!cancelled && !signal?.aborted) recorder.note(body);
  };
  return new ReadableStream<T>({
    async pull(controller) {
      const askedMs = recorder.now();
      try {
        const { done, value } = await reader.read();
        if (cancelled) return;
        if (done) {
          note({ type: "stream-ended", of, run });
          return controller.close();
        }
        // A voice takes its words when it is ready for them.
        const asked = of === "text" ? { askedMs } : {};
        note({ type: "stream-brought", of, run, item: itemOf(value), ...asked });
        controller.enqueue(value);
      } catch (error) {
        note({ type: "stream-failed", of, run, error: failureOf(stages[of], error) });
        throw error;
      }
    },
    async cancel(reason) {
      cancelled = true;
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
