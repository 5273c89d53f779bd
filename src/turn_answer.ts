/** The answer to a user's turn, for sure or prepared before the turn is over. */
import type { Answers } from "./answers.ts";
import type { Charge } from "./charge.ts";
import type { MessageItem } from "./history.ts";
import type { Prompts } from "./history/prompts.ts";
import { opened, type Opening } from "./opening.ts";
import type { Job } from "./replies.ts";
import type { SpeculationMeter } from "./speculation.ts";
import type { TurnAction } from "./turn/state.ts";
import type { Sight } from "./vision/sight.ts";

/** A turn as far as it was said. */
export type SaidTurn = Pick<Extract<TurnAction, { readonly type: "commit-turn" }>, "turnId" | "said">;

export interface TurnAnswers {
  /** The answer to what was said so far and then in this turn. */
  make(turn: SaidTurn, options?: { readonly prepared?: boolean }): Job;
  /** What was said, the last of it with what was seen meanwhile. */
  asSeen(said: SaidTurn["said"]): Pick<MessageItem, "role" | "text" | "speaker" | "images">[];
}

export function createTurnAnswers({ charge, answers, prompts, speculation, sight, opening: openingNow }: {
  readonly charge: Pick<Charge, "current">;
  readonly answers: Answers;
  readonly prompts: Prompts;
  readonly speculation: SpeculationMeter;
  readonly sight: Pick<Sight, "seen">;
  /** What the answer begins with, where somebody has taken over. */
  readonly opening: () => Opening | undefined;
}): TurnAnswers {
  const asSeen = (said: SaidTurn["said"]) => {
    const { seen } = sight;
    const last = said.at(-1);
    // An answer may be prepared to a voice whose words are not known yet.
    if (!last) return seen.length > 0 ? [{ role: "user" as const, text: "", images: seen }] : [];
    return said.map((one) => ({
      role: "user" as const,
      ...one,
      ...(one === last && seen.length > 0 && { images: seen }),
    }));
  };
  return {
    asSeen,
    make({ turnId, said }, { prepared = false } = {}) {
      const { llm } = charge.current.providers;
      const opening = openingNow();
      const before = opening ? [{ role: "assistant", text: opening.text } as const] : [];
      const messages = prompts.messages([...before, ...asSeen(said)]);
      const counts = prepared ? speculation.prepare() : undefined;
      const committed = prepared ? Promise.withResolvers<void>() : undefined;
      const answer = answers.make({
        id: turnId,
        messages: (own) => own ? prompts.messages([], own) : messages,
        committed: committed?.promise,
        generate: counts &&
          ((request, options) => llm.generate(request, options).pipeThrough(counts(request.messages))),
      });
      return {
        id: turnId,
        ...answer,
        ...(opening && beginning(opening, answer)),
        commit() {
          opening?.take();
          committed?.resolve();
        },
        author: "llm",
        answers: "none yet",
        recovery: false,
        priority: "normal",
        interruptible: true,
        addToHistory: true,
        settle: opening?.settle ?? (() => {}),
      };
    },
  };
}

/** What of an answer is different when it begins with `opening`. */
const beginning = (opening: Opening, { words, breaks }: Required<Pick<Job, "words" | "breaks">>) => ({
  words: opened(opening, words),
  breaks: () =>
    breaks().map(({ characters, atMs }) => ({ characters: opening.text.length + 1 + characters, atMs })),
});
