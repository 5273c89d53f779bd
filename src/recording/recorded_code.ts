/** What an agent's own code does, written down: in the order in which it does it, as one stream for each time it runs. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Recorder } from "./recorder.ts";
import { failureOf } from "./recorder.ts";
import type { Step } from "./recording.ts";

/** What runs in a tool, or in an entry, and where its steps go. */
const atWork = new AsyncLocalStorage<{ isOver: boolean; readonly step: (step: Step) => void }>();

/** Writes `step` down as one of what runs here; returns whether something does. */
export function noteStep(step: Step): boolean {
  const code = atWork.getStore();
  if (!code || code.isOver) return false;
  code.step(step);
  return true;
}

/** Runs `work`; what fails because `signal` has aborted is stopped again in a replay, and has no end in the recording. */
export async function runRecorded<T>(
  { recorder, of, input, signal }: {
    readonly recorder: Recorder;
    readonly of: "tool" | "entry";
    readonly input: string;
    readonly signal: AbortSignal;
  },
  work: () => T | Promise<T>,
): Promise<T> {
  const run = recorder.next(of);
  recorder.note({ type: "stream-opened", of, run, input });
  const code = {
    isOver: false,
    step: (item: Step) => recorder.note({ type: "stream-brought", of, run, item }),
  };
  try {
    const value = await atWork.run(code, work);
    recorder.note({ type: "stream-ended", of, run });
    return value;
  } catch (error) {
    if (!signal.aborted) {
      recorder.note({ type: "stream-failed", of, run, error: failureOf("agent", error) });
    }
    throw error;
  } finally {
    code.isOver = true;
  }
}
