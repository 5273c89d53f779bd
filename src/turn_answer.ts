/** The answer to a user's turn, for sure or prepared before the turn is over. */
import type { Answers } from "./answers.ts";
import type { Charge } from "./charge.ts";
import type { MessageItem } from "./history.ts";
import type { Prompts } from "./history/prompts.ts";
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

export function createTurnAnswers({ charge, answers, prompts, speculation, sight }: {
  readonly charge: Pick<Charge, "current">;
  readonly answers: Answers;
  readonly prompts: Prompts;
  readonly speculation: SpeculationMeter;
  readonly sight: Pick<Sight, "seen">;
}): TurnAnswers {
  const asSeen = (said: SaidTurn["said"]) => {
    const { seen } = sight;
    const last = said.at(-1);
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
      const messages = prompts.messages(asSeen(said));
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
        ...(committed && { commit: committed.resolve }),
        author: "llm",
        answers: "none yet",
        recovery: false,
        priority: "normal",
        interruptible: true,
        addToHistory: true,
        settle: () => {},
      };
    },
  };
}
