/** When tools were at work for a reply, as the session's events tell. */
import type { SessionEvent } from "../events.ts";

/** Tools that were called together; `names`: "getWeather and getTime". Milliseconds since the session began. */
export interface ToolTime {
  readonly names: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface ToolTimes {
  /** Takes in the next event. */
  note(event: SessionEvent): void;
  /** When the reply waited for tools from `fromMs` to `toMs`, in order, as far as that lies within. */
  within(replyId: string, fromMs: number, toMs: number): ToolTime[];
}

/** Uses that are remembered: more than a reply makes. */
const most = 20;

/** Times of which nothing is known yet. */
export function createToolTimes(): ToolTimes {
  let uses: readonly (ToolTime & { readonly replyId: string; readonly callIds: ReadonlySet<string> })[] = [];
  return {
    note(event) {
      if (event.type === "tools-called") {
        const { replyId, calls, atMs: fromMs } = event;
        const names = [...new Set(calls.map(({ name }) => name))].join(" and ");
        const callIds = new Set(calls.map(({ id }) => id));
        uses = [...uses, { replyId, callIds, names, fromMs, toMs: Infinity }].slice(-most);
      }
      if (event.type === "tools-finished") {
        const { results, atMs: toMs } = event;
        // A result that the reply has not waited for comes once more, alone: the time was over before.
        uses = uses.map((use) =>
          use.toMs === Infinity && results.some(({ callId }) => use.callIds.has(callId))
            ? { ...use, toMs }
            : use
        );
      }
    },
    within: (replyId, fromMs, toMs) =>
      uses.filter((use) => use.replyId === replyId && use.fromMs < toMs && use.toMs > fromMs)
        .map(({ names, ...use }) => ({
          names,
          fromMs: Math.max(use.fromMs, fromMs),
          toMs: Math.min(use.toMs, toMs),
        })),
  };
}
