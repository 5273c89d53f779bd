/** The silences inside a reply: where its sound stood still and then went on. */

import type { SpeechGap } from "./events.ts";

/** Shorter ones are how people speak. */
const leastMs = 300;

export interface Silence {
  /** When the sound stopped (clock milliseconds), and for how long. */
  readonly fromMs: number;
  readonly ms: number;
}

/** Finds them from looks, every 100 ms or so, at how much of the reply was heard by then; the first look is at its start. */
export function silenceFinder(): (nowMs: number, playedMs: number) => Silence | undefined {
  /** The latest look at which the sound had moved, and whether it has stood still since. */
  let last: { readonly playedMs: number; readonly lagMs: number } | undefined;
  let stood = false;
  /** How far the sound was behind the clock while it flowed: known a look later, since it may have just stopped. */
  let flowingMs = 0;
  return (nowMs, playedMs) => {
    const lagMs = nowMs - playedMs;
    if (last && playedMs <= last.playedMs) {
      stood = true;
      return undefined;
    }
    const ms = last ? lagMs - flowingMs : 0;
    const silence = last && stood && ms >= leastMs ? { fromMs: last.playedMs + flowingMs, ms } : undefined;
    flowingMs = last && !stood ? last.lagMs : lagMs;
    last = { playedMs, lagMs };
    stood = false;
    return silence;
  };
}

/** What a silence may be due to; clock milliseconds. */
export interface SilenceCauses {
  /** When the reply was kept back. */
  readonly holds: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** When audio came that had been waited for, and when the clause that it belongs to. */
  readonly late: { readonly atMs: number; readonly clauseMs: number } | undefined;
}

/** What a silence is made of; the parts sum to it. */
export function gapOf({ fromMs, ms }: Silence, { holds, late }: SilenceCauses): SpeechGap {
  const toMs = fromMs + ms;
  const within = (a: number, b: number) => Math.max(0, Math.min(b, toMs) - Math.max(a, fromMs));
  const heldMs = Math.min(ms, holds.reduce((sum, hold) => sum + within(hold.fromMs, hold.toMs), 0));
  const waitedMs = late ? Math.min(ms - heldMs, within(fromMs, late.atMs)) : 0;
  const llmMs = late ? Math.min(waitedMs, within(fromMs, late.clauseMs)) : 0;
  return { ms, heldMs, llmMs, ttsMs: waitedMs - llmMs, playoutMs: ms - heldMs - waitedMs };
}
