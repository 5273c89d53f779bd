/** When something may be said that answers no turn. */
import { turnEndsMs } from "./endpointing.ts";
import { listensByItself } from "./policy.ts";
import type { TurnOptions, TurnState } from "./state.ts";

/** A voice without words keeps what waits to be said from being said for this long. */
const WORDLESS_MS = 2_000;

/** How long it waits for the user, in milliseconds: Infinity until something happens. `nowMs`: clock milliseconds. */
export function waitToSayMs(
  state: TurnState,
  { interruptible }: { readonly interruptible: boolean },
  options: TurnOptions,
  nowMs: number,
): number {
  const { agent, key, user } = state;
  if (agent.is !== "silent") return Infinity;
  if (!interruptible) return 0;
  if (key.is !== "up" || turnEndsMs(state, options) !== undefined) return Infinity;
  const voiced = user.is === "speaking" && listensByItself(state, options);
  return voiced ? user.sinceMs + WORDLESS_MS - nowMs : 0;
}
