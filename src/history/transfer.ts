/** Histories that outlive their session: as text, and back. */
import * as z from "zod";
import { messageOf } from "../errors.ts";
import type { HistoryItem } from "../history.ts";
import type { GivenItem } from "./update.ts";
import { problemOfHistory, problemOfItem } from "./schema.ts";

/** The number of this format; it grows when older exports can no longer be read. */
const version = 1;

const exported = z.object({
  format: z.literal("repartee-history"),
  version: z.number(),
  items: z.array(z.unknown()),
});

/** A history as JSON. A call that is under way has no result in it. */
export const exportHistory = (items: readonly HistoryItem[]): string =>
  JSON.stringify({ format: "repartee-history", version, items });

/**
 * The items of a history that `exportHistory()` wrote, to begin another session with: `session.updateHistory()` takes them.
 * They lie before its beginning (`atMs` is 0 at most), and a call without a result has one that says so. Throws a TypeError,
 * one sentence, for anything else.
 */
export function importHistory(text: string): HistoryItem[] {
  const { items } = read(text);
  const wrong = items.map((item, at) => problemOfItem(item, `items[${at}]`)).find((found) =>
    found !== undefined
  );
  if (wrong) throw problem(wrong);
  const whole = items as readonly GivenItem[]; // as was looked at
  const lacking = whole.findIndex(({ id, atMs }) => id === undefined || atMs === undefined);
  if (lacking >= 0) throw problem(`items[${lacking}] has no id or no atMs; expected both`);
  const told = whole as readonly HistoryItem[];
  const disorder = problemOfHistory(told, () => true);
  if (disorder) throw problem(disorder);
  const results = new Set(told.map((item) => item.type === "tool-result" ? item.callId : undefined));
  const shiftMs = Math.max(0, told.at(-1)?.atMs ?? 0);
  return told.flatMap((item): HistoryItem[] => {
    const moved = { ...item, atMs: item.atMs - shiftMs };
    if (moved.type !== "tool-call" || results.has(moved.call.id)) return [moved];
    return [moved, unknownResult(moved.call.id, moved.atMs)];
  });
}

function read(text: string): z.infer<typeof exported> {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw problem(`the text is no JSON (${messageOf(error)}); expected what exportHistory() returns`);
  }
  const { success, data } = exported.safeParse(given);
  if (!success) throw problem("the text is no history; expected what exportHistory() returns");
  if (data.version !== version) {
    throw problem(`the history is of version ${data.version}; expected version ${version}`);
  }
  return data;
}

const unknownResult = (callId: string, atMs: number): HistoryItem => ({
  type: "tool-result",
  id: `result-of-${callId}`,
  callId,
  outcome: "cancelled",
  content: "The conversation ended before this did; whether it was done is not known.",
  atMs,
});

const problem = (what: string) => new TypeError(`importHistory(): ${what}`);
