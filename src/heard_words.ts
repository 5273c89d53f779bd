/** What the recognizer hears, on its way to turn-taking. */
import type { SpokenLog } from "./spoken.ts";
import type { UnstampedTurnEvent } from "./turn_taker.ts";
import { userWords } from "./user_words.ts";

/** Where the words of a reply lie in its audio is known to this, in milliseconds. */
const aheadMs = 500;

/** Shows words to the room, and adds to them what the agent was saying meanwhile; everything else stays as it is. */
export function createHeardWords({ spoken, upcoming, ...options }: Parameters<typeof userWords>[0] & {
  readonly spoken: Pick<SpokenLog, "over">;
  /** What of the agent's is heard within the next `ms`. */
  readonly upcoming: (ms: number) => string;
}): (event: UnstampedTurnEvent) => UnstampedTurnEvent {
  const show = userWords(options);
  return (event) => {
    if (event.type !== "transcript-interim" && event.type !== "transcript-final") return event;
    const isFinal = event.type === "transcript-final";
    show(event.text, isFinal, event.speaker);
    if (event.text === "") return event;
    const over = `${spoken.over(isFinal)} ${upcoming(aheadMs)}`.trim();
    return over === "" ? event : { ...event, over };
  };
}
