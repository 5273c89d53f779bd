/** A history as the agent's own code changes it. */
import type { HistoryItem } from "../history.ts";
import { problemOfHistory, problemOfItem } from "./schema.ts";

type Loose<Item> = Item extends HistoryItem ?
    & Omit<Item, "id" | "atMs" | "interrupted">
    & Partial<Pick<Item, Extract<keyof Item, "id" | "atMs" | "interrupted">>>
  : never;

/** An item as `updateHistory()` takes it: without an id it gets one, without `atMs` the time of the next that has one, or now. */
export type GivenItem = Loose<HistoryItem>;

/** The items there are to be, or what makes them of those there are. */
export type HistoryUpdate =
  | readonly GivenItem[]
  | ((items: readonly HistoryItem[]) => readonly GivenItem[]);

/**
 * What `given` makes of the history: items that are there already stay the same objects. Throws a TypeError, one sentence,
 * when it makes none.
 */
export function updated(
  given: readonly GivenItem[],
  { items, nowMs, newId }: {
    readonly items: readonly HistoryItem[];
    /** Milliseconds since the session began. */
    readonly nowMs: number;
    /** An id that is not taken. */
    readonly newId: (isTaken: (id: string) => boolean) => string;
  },
): HistoryItem[] {
  if (!Array.isArray(given)) throw problem(`there are no items but ${typeof given}; expected an array`);
  const taken = new Set([...items, ...given].flatMap((item) => item?.id === undefined ? [] : [item.id]));
  for (const [at, item] of given.entries()) {
    const wrong = problemOfItem(item, `items[${at}]`);
    if (wrong) throw problem(wrong);
    const { atMs = nowMs } = item;
    if (atMs > nowMs) {
      throw problem(`items[${at}] is of ${atMs} ms; expected no time to come (now: ${nowMs} ms)`);
    }
  }
  const next = given.map((item, at): HistoryItem => {
    if (items.includes(item as HistoryItem)) return item as HistoryItem;
    const { id = newId((id) => taken.has(id)) } = item;
    const { atMs = nowMs } = given.slice(at).find(({ atMs }) => atMs !== undefined) ?? {};
    return whole(item, id, atMs);
  });
  const wrong = problemOfHistory(next, (callId) => isUnderWay(items, callId));
  if (wrong) throw problem(wrong);
  return next;
}

const problem = (what: string) => new TypeError(`updateHistory(): ${what}`);

function whole(item: GivenItem, id: string, atMs: number): HistoryItem {
  if (item.type === "tool-call") return { ...item, id, atMs };
  const own = item.images && { images: [...item.images] }; // the history forgets the older ones
  if (item.type === "tool-result") return { ...item, ...own, id, atMs };
  return { interrupted: false, ...item, ...own, id, atMs };
}

/** Whether the call is made, and its result is yet to come. */
const isUnderWay = (items: readonly HistoryItem[], callId: string): boolean =>
  items.some((item) => item.type === "tool-call" && item.call.id === callId) &&
  !items.some((item) => item.type === "tool-result" && item.callId === callId);
