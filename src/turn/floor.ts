/** Several people's voices as the one that turn-taking hears: somebody speaks for as long as anybody does. */
import type { TurnEvent } from "./state.ts";

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** What a voice does. */
export type VoiceChange = Without<Extract<TurnEvent, { readonly type: `speech-${string}` }>, "nowMs">;

/** One person's voice. `untilMs`: the end of its last voiced window; `faded`: by its loudness alone it has fallen silent. */
interface Voice {
  readonly is: "silent" | "speaking" | "pausing";
  readonly untilMs: number;
  readonly faded: boolean;
}

/** Everybody's voice, by identity. */
export type Floor = Readonly<Record<string, Voice>>;

const silent: Voice = { is: "silent", untilMs: -Infinity, faded: false };

/** Takes in what the voice of `identity` does: the floor after it, and what that is to turn-taking, if anything. */
export function takeFloor(
  floor: Floor,
  identity: string,
  change: VoiceChange,
): { readonly floor: Floor; readonly change: VoiceChange | undefined } {
  const next = { ...floor, [identity]: follow(floor[identity] ?? silent, change) };
  return { floor: next, change: difference(together(floor), together(next), change) };
}

function follow(voice: Voice, change: VoiceChange): Voice {
  switch (change.type) {
    case "speech-start":
    case "speech-resume":
      return { ...voice, is: "speaking", faded: false };
    case "speech-pause":
      return { ...voice, is: "pausing", untilMs: change.atMs };
    case "speech-end":
      return voice.is === "silent" ? voice : { ...voice, is: "silent", untilMs: change.atMs };
    case "speech-fade":
    case "speech-swell":
      return { ...voice, faded: change.type === "speech-fade" };
  }
}

/** All voices as one. */
function together(floor: Floor): Voice {
  const voices = Object.values(floor);
  const speaking = voices.filter(({ is }) => is === "speaking");
  const untilMs = Math.max(...voices.map((voice) => voice.untilMs));
  if (speaking.length > 0) return { is: "speaking", untilMs, faded: speaking.every(({ faded }) => faded) };
  return { is: voices.some(({ is }) => is === "pausing") ? "pausing" : "silent", untilMs, faded: false };
}

function difference(before: Voice, after: Voice, change: VoiceChange): VoiceChange | undefined {
  if (after.is === before.is) {
    return after.faded === before.faded ? undefined : { type: after.faded ? "speech-fade" : "speech-swell" };
  }
  if (after.is === "speaking") return change;
  return { type: after.is === "pausing" ? "speech-pause" : "speech-end", atMs: after.untilMs };
}
