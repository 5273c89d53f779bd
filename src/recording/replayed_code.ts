/** What the agents' own code did in a recorded session, done again. */
import { abortable } from "../abort.ts";
import type { Clock } from "../clock.ts";
import type { CloseReason } from "../events.ts";
import type { HistoryUpdate } from "../history/update.ts";
import type { Task } from "../task.ts";
import type { SpeechHandle, VoiceSession } from "../voice_session.ts";
import { type Call, type Recording, type Step, stepFrom } from "./recording.ts";
import { errorFrom, type RecordedRun, replayedStream, runsOf } from "./replayed_streams.ts";

export interface ReplayedCode {
  /** What was said, by the ids of the replies. */
  readonly said: ReadonlyMap<string, SpeechHandle>;
  /** Calls a method of `session`. */
  call(session: VoiceSession, call: Call): void;
  /** Does what `run` did, as long after it begins as then; yields what it is not for the session to do. */
  steps(
    run: RecordedRun | undefined,
    where: { readonly session: VoiceSession; readonly signal: AbortSignal },
  ): AsyncGenerator<Exclude<Step, { type: "called" | "ran" }>>;
}

/** The code of `recording`; `taskOf`: the task of that number. */
export function replayedCode(
  recording: Recording,
  clock: Clock,
  taskOf: (number: number) => Task<unknown>,
): ReplayedCode {
  const said = new Map<string, SpeechHandle>();
  const keep = (handle: SpeechHandle) => void said.set(handle.replyId, handle);
  const ran = new Map<number, Promise<unknown>>();
  const sayings = runsOf(recording, "say");

  const perform = (session: VoiceSession, called: Call): void => {
    switch (called.method) {
      case "say": {
        if (called.run === undefined) return keep(session.say(called.text ?? "", called.options));
        const { signal } = new AbortController();
        const itemFrom = (item: unknown) => ({ text: String(item) });
        const pieces = replayedStream(sayings[called.run], { clock, signal, shiftMs: 0, itemFrom });
        const texts = new TransformStream<{ readonly text: string }, string>({
          transform: ({ text }, controller) => controller.enqueue(text),
        });
        return keep(session.say(pieces.pipeThrough(texts), called.options));
      }
      case "generateReply":
        return keep(session.generateReply(called.options));
      case "updateHistory":
        return session.updateHistory(called.items as Extract<HistoryUpdate, readonly unknown[]>); // as it was then
      case "expect":
        return session.expect(called.expected);
      case "cut":
        return said.get(called.replyId)?.interrupt();
      case "close":
        return void session.close(called.reason as CloseReason);
      case "run": {
        const task = session.run(taskOf(called.task));
        return void ran.set(called.task, task.catch(() => {})); // whoever ran it knew what to do about it
      }
      default:
        return session[called.method]();
    }
  };
  const call = (session: VoiceSession, called: Call) => {
    try {
      perform(session, called);
    } catch {
      // It threw then, too: the agent was not in the room yet.
    }
  };
  return {
    said,
    call,
    async *steps(run, { session, signal }) {
      const shiftMs = clock.now() - (run?.openedMs ?? 0);
      for (const entry of run?.entries ?? []) {
        const waitMs = entry.atMs + shiftMs - clock.now();
        if (waitMs > 0) {
          await clock.sleep(waitMs, { signal });
          await clock.sleep(0, { signal }); // it may have followed what happens at this moment
        }
        if (entry.type === "stream-ended") return;
        if (entry.type === "stream-failed") throw errorFrom(entry.error);
        const step = stepFrom(entry.item);
        if (step.type === "called") call(session, step.call);
        else if (step.type === "ran") await ran.get(step.task);
        else yield step;
      }
      await abortable(new Promise(() => {}), signal); // it was stopped then
    },
  };
}
