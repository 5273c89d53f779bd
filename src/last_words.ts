/** The words that end a call, the user's and the agent's: they are given a moment to come into the history. */
import type { Clock } from "./clock.ts";
import type { TurnState } from "./turn/state.ts";

/** They have this long, in milliseconds. */
const patienceMs = 900;
/** A voice that has brought no words so long after its end has none. */
export const wordlessMs = 2_000;

export interface LastWords {
  /** The recognizer has told all it had heard by then. */
  heard(): void;
  /**
   * Settles when it has, or `ended` settles, since no more is heard; at once where there is nothing to be told. And when
   * `cut` has settled, which stands for what the agent was saying.
   */
  wait(
    state: TurnState,
    about: { readonly ended: Promise<unknown> | undefined; readonly cut: Promise<unknown> | undefined },
  ): Promise<void>;
}

/** `ask`: asks the recognizer for the final words of what it has heard. */
export function createLastWords(
  { clock, ask }: { readonly clock: Clock; readonly ask: () => void },
): LastWords {
  let told: PromiseWithResolvers<unknown> | undefined;
  return {
    heard: () => told?.resolve(undefined),
    async wait(state, { ended, cut }) {
      if (owesWords(state, clock.now())) {
        told = Promise.withResolvers();
        ended?.then(told.resolve, told.resolve); // its failure is the session's
        ask();
      }
      const timeout = Promise.withResolvers<void>();
      using _ = clock.after(patienceMs, timeout.resolve);
      await Promise.race([timeout.promise, Promise.all([told?.promise, cut])]);
    },
  };
}

/** Whether there is a voice whose words the recognizer has not told yet, or may change. */
function owesWords({ hearing, user, words }: TurnState, nowMs: number): boolean {
  const isWordless = user.is === "stopped" && words.final === "" && nowMs - user.lastVoicedMs < wordlessMs;
  return hearing && (user.is === "speaking" || user.is === "pausing" || words.interim !== "" || isWordless);
}
