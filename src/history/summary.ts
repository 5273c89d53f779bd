/** A summary of what the model is not told any more, written while the conversation goes on. */
import { untilAborted } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import { isMessage, type PromptItem } from "../history.ts";
import type { LanguageModel, Message } from "../llm/llm.ts";

const defaultPrompt =
  "You keep the notes of a conversation between a user and an assistant. Rewrite the notes so that they hold what is in " +
  "the old ones and what was said since: facts, names, numbers, wishes, decisions, and what was done. At most 150 words, no " +
  "greetings, in the language of the conversation. Answer with the notes alone.";
/** What is summarized at once, in characters: some 6,000 tokens. What is more follows when that is done. */
const mostCharacters = 24_000;
/** What of one item is summarized. */
const mostOfItem = 4_000;
/** A model that writes more than it was asked to is cut off here, in characters. */
const mostOfSummary = 4_000;
/** A summary that is not written by then is given up, in milliseconds. */
const patienceMs = 30_000;

/** A summary, and what it is about. */
export interface Summary {
  readonly text: string;
  readonly covered: ReadonlySet<PromptItem>;
}

export interface SummaryWriterOptions {
  /** What writes; its tokens count as the agent's do. */
  readonly llm: () => LanguageModel;
  /** How it is to be written, where not as is usual. */
  readonly prompt: () => string | undefined;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Told of summaries that could not be written; the one before stands. */
  readonly onError: (error: StageError) => void;
  /** The summary to go on from (default: there is none). */
  readonly before?: Summary | undefined;
}

export interface SummaryWriter {
  /**
   * The summary as it is. `dropped`: what the model is not told, of all `items` there are; what of it is in no summary yet
   * will be, soon.
   */
  about(dropped: readonly PromptItem[], items: readonly PromptItem[]): string | undefined;
  /** The summary as it is, if there is one. */
  readonly current: Summary | undefined;
  /** Settles when nothing is being written. */
  idle(): Promise<void>;
}

/** The summary of one session. */
export function createSummaryWriter({ llm, prompt, ...options }: SummaryWriterOptions): SummaryWriter {
  const { clock, signal, onError, before } = options;
  let text = before?.text;
  /** What `text` is about. */
  let covered = new Set<PromptItem>(before?.covered);
  /** What there was to be summarized when that was last looked at. */
  let dropped: readonly PromptItem[] = [];
  /** So much of that could not be summarized: it is tried again when there is more. */
  let failedAt = 0;
  let writing: Promise<void> | undefined;

  /** Writes on until everything is in the summary. */
  const write = async () => {
    for (let next = portion(); next.length > 0; next = portion()) {
      const before = covered;
      const written = await ask(text, next);
      if (before !== covered) continue; // something was taken out meanwhile: begun anew
      text = written;
      for (const item of next) covered.add(item);
    }
  };
  const portion = (): PromptItem[] => {
    const fresh = dropped.filter((item) => !covered.has(item));
    let characters = 0;
    return fresh.filter((item, at) => {
      characters += lineOf(item).length;
      return at === 0 || characters <= mostCharacters;
    });
  };
  const ask = async (before: string | undefined, items: readonly PromptItem[]): Promise<string> => {
    const late = new AbortController();
    using _ = clock.after(patienceMs, () => {
      late.abort(new StageError("llm", `no summary within ${patienceMs / 1_000} s`, { retryable: true }));
    });
    const either = AbortSignal.any([signal, late.signal]);
    const content = `Old notes:\n${before ?? "(none)"}\n\nSaid since:\n${items.map(lineOf).join("\n")}`;
    const messages: Message[] = [{ role: "system", content: prompt() ?? defaultPrompt }, {
      role: "user",
      content,
    }];
    let written = "";
    for await (const event of untilAborted(llm().generate({ messages }, { signal: either }), either)) {
      if (event.type === "text") written += event.text;
    }
    either.throwIfAborted(); // a stream that is let go of may look as if it had ended
    if (written.trim() === "") throw new StageError("llm", "the summary is empty");
    return written.trim().slice(0, mostOfSummary).toWellFormed();
  };

  return {
    about(left, items) {
      dropped = left;
      if (!covered.isSubsetOf(new Set(items))) {
        // What was taken out of the history is not to live on in its summary.
        covered = new Set();
        text = undefined;
        failedAt = 0;
      }
      if (!writing && !signal.aborted && dropped.length > failedAt && portion().length > 0) {
        writing = write().catch((error) => {
          failedAt = dropped.length;
          if (!signal.aborted) onError(asStageError("llm", error));
        }).finally(() => writing = undefined);
      }
      return text;
    },
    get current() {
      return text === undefined ? undefined : { text, covered };
    },
    async idle() {
      await writing;
    },
  };
}

/** An item on a line of its own. */
function lineOf(item: PromptItem): string {
  const line = isMessage(item)
    ? `${item.speaker ? item.speaker.name || item.speaker.identity : item.role}: ${item.text}`
    : item.type === "tool-call"
    ? `assistant uses ${item.call.name}: ${JSON.stringify(item.call.arguments) ?? item.call.malformed}`
    : `result: ${item.content}`;
  return line.slice(0, mostOfItem).toWellFormed();
}
