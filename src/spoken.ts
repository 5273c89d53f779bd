/** What the agent said lately, and when it was heard: what an echo of it is recognized by. */
import type { Clock } from "./clock.ts";

/** The words of an echo belong to what was said this long before they are recognized, at the most. */
const echoMs = 3_000;
/** As long as an utterance of the user's may be under way, what was said in it is kept. */
const keptMs = 60_000;

export interface SpokenLog {
  /** Takes in a piece of what the agent says, when it is heard. */
  said(text: string): void;
  /**
   * What the agent said while the user's utterance was under way, and shortly before; empty when it said nothing. To be
   * asked at every transcript; `final`: the utterance ends with this one.
   */
  over(final: boolean): string;
}

/** An empty log. */
export function createSpokenLog(clock: Clock): SpokenLog {
  const pieces: { readonly text: string; readonly atMs: number }[] = [];
  let utteranceMs: number | undefined;
  return {
    said(text) {
      const nowMs = clock.now();
      while (pieces[0] && pieces[0].atMs < nowMs - keptMs) pieces.shift();
      pieces.push({ text, atMs: nowMs });
    },
    over(final) {
      const sinceMs = (utteranceMs ?? clock.now()) - echoMs;
      utteranceMs = final ? undefined : utteranceMs ?? clock.now();
      return pieces.filter(({ atMs }) => atMs >= sinceMs).map(({ text }) => text).join(" ").trim();
    },
  };
}
