/** What the user is asked before a tool is used: one question at a time, by the reply that the tool is used for. */
import { abortable } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { ConfirmRequest } from "./tools/host.ts";

/** Who has not answered by then, in milliseconds from the question's first word, has not agreed. */
const patienceMs = 15_000;

export interface Question {
  /** The reply that asks it. */
  readonly replyId: string;
  /** Has the reply say it. */
  readonly say: () => void;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface Questions {
  /** Asks, after what is being asked, and settles with whether the user agreed; rejects with the signal's reason. */
  ask(question: Question): Promise<boolean>;
  /** The user has answered what was asked. */
  answer(agreed: boolean): void;
}

/** The questions of one session; `note` tells turn-taking when what the user says is an answer. */
export function createQuestions(
  { clock, note }: {
    readonly clock: Clock;
    readonly note: (event: { type: "question-asked" | "question-over"; replyId: string }) => void;
  },
): Questions {
  let last: Promise<unknown> = Promise.resolve();
  let asked: PromiseWithResolvers<boolean> | undefined;

  const pose = async ({ replyId, say, signal }: Question): Promise<boolean> => {
    signal.throwIfAborted();
    const answered = Promise.withResolvers<boolean>();
    asked = answered;
    say();
    note({ type: "question-asked", replyId });
    using _ = clock.after(patienceMs, () => answered.resolve(false));
    try {
      return await abortable(answered.promise, signal);
    } finally {
      asked = undefined;
      note({ type: "question-over", replyId });
    }
  };
  return {
    async ask(question) {
      const before = last;
      const over = Promise.withResolvers<void>();
      last = over.promise;
      try {
        await abortable(before, question.signal);
        return await pose(question);
      } finally {
        void before.then(() => over.resolve()); // who gave up waiting lets nobody past the one before
      }
    },
    answer: (agreed) => asked?.resolve(agreed),
  };
}

/** What is said around what a tool says of itself, in the languages whose answers are known too (`turnLanguage()`). */
const english = { before: "Just to be sure", after: "Shall I go ahead?" };
const frames: Readonly<Record<string, typeof english>> = {
  en: english,
  de: { before: "Nur um sicherzugehen", after: "Soll ich das tun?" },
  es: { before: "Solo para confirmar", after: "¿Quiere que lo haga?" },
  fr: { before: "Juste pour confirmer", after: "Est-ce que je le fais ?" },
};

/**
 * The question that `request` comes down to: its author's, or one that is made of what the tool says of itself; in English
 * where nothing is known of `language` (BCP 47).
 */
export function questionOf(
  { question, description, arguments: given }: ConfirmRequest,
  language = "en",
): string {
  if (question !== undefined && question.trim() !== "") return question.trim();
  const values = typeof given === "object" && given !== null ? Object.entries(given) : [];
  const details = values.map(([name, value]) =>
    `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  const { before, after } = frames[language.toLowerCase().replace(/[-_].*/, "")] ?? english;
  return `${before}: ${[description.trim().replace(/[.!]+$/, ""), ...details].join(", ")}. ${after}`;
}
