/** Who says what, as the model is told it where several people talk with the agent. */
import type { PromptItem } from "../history.ts";
import type { Speaker } from "../turn/state.ts";

/** What the model is told of that, behind the agent's own instructions. */
export const severalPeople =
  "Several people talk with you. What each of them says is told with their name before it; what you say is not.";

/**
 * What the speakers of `items` are called: by their names, or by their identities where these tell them apart better;
 * undefined when there are not several.
 */
export function namesOf(items: readonly PromptItem[]): ((speaker: Speaker) => string) | undefined {
  const names = new Map<string, string>();
  for (const item of items) {
    if ("speaker" in item && item.speaker) names.set(item.speaker.identity, onOneLine(item.speaker.name));
  }
  if (names.size < 2) return undefined;
  const all = [...names.values()];
  return ({ identity }) => {
    const name = names.get(identity) ?? "";
    const isTheirs = name !== "" && all.filter((other) => other === name).length === 1;
    return isTheirs ? name : onOneLine(identity);
  };
}

const onOneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim();
