/** What an agent says first that takes over while the user speaks: the answer to the user begins with it. */
import type { Job } from "./replies.ts";

export interface Opening {
  readonly text: string;
  /** The answer is certain: it is not said by itself any more. */
  take(): void;
  /** Told what became of the answer. */
  readonly settle: Job["settle"];
}

/** The opening that the jobs are together which `waiting` has; undefined when none of them opens. */
export function openingOf(
  waiting: readonly Job[],
  { take }: { readonly take: (job: Job) => void },
): Opening | undefined {
  const jobs = waiting.filter(({ opens }) => opens !== undefined);
  if (jobs.length === 0) return undefined;
  return {
    text: jobs.map(({ opens }) => opens).join(" "),
    take: () => jobs.forEach(take),
    settle({ text: heard, ...result }) {
      let at = 0;
      for (const { opens: text = "", settle } of jobs) {
        const end = at + text.length;
        const isWhole = heard.length >= end;
        settle(isWhole ? { text, interrupted: false } : { ...result, text: heard.slice(at, end) });
        at = end + 1;
      }
    },
  };
}

/** `words` with `opening` before them. */
export const opened = (opening: Opening, words: Job["words"]): Job["words"] => (signal) =>
  words(signal).pipeThrough(
    new TransformStream({ start: (begun) => begun.enqueue(`${opening.text} `) }),
  );
