/** What of a history the model is told: the newest of it, nothing torn apart. */
import { isMessage, type PromptItem } from "../history.ts";

export interface WindowOptions<Item> {
  /** The most items. */
  readonly maxItems: number;
  /** The most tokens of them all (default: as many as there are). */
  readonly maxTokens?: number | undefined;
  /** How many tokens an item has. */
  readonly tokensOf?: ((item: Item) => number) | undefined;
}

/** A message and the calls behind it with their results, wherever these stand: told together, or not at all. */
interface Unit<Item> {
  readonly items: Item[];
  /** Where the last of it stands in the history: Infinity while a result is yet to come. */
  last: number;
  /** Calls without a result. */
  readonly pending: Set<string>;
  readonly said: boolean;
}

/**
 * The newest of `items` that fit, in their order. It never begins with a call or a result, unless the history does. What
 * the user said last is in it whatever the limits, and so is every call whose result is yet to come.
 */
export function windowOf<Item extends PromptItem>(
  items: readonly Item[],
  { maxItems, maxTokens = Infinity, tokensOf = () => 0 }: WindowOptions<Item>,
): Item[] {
  const units = unitsOf(items);
  const newest = units.findLast(({ said }) => said);
  const kept = new Set<Item>();
  let tokens = 0;
  const byAge = units.toSorted((a, b) => b.last - a.last);
  for (const unit of newest ? [newest, ...byAge.filter((unit) => unit !== newest)] : byAge) {
    const mustStay = unit === newest || unit.last === Infinity;
    // Within the number of items first: what is left out by that need not be counted.
    if (!mustStay && kept.size + unit.items.length > maxItems) break;
    if (maxTokens !== Infinity) tokens += unit.items.reduce((sum, item) => sum + tokensOf(item), 0);
    if (!mustStay && tokens > maxTokens) break;
    for (const item of unit.items) kept.add(item);
  }
  return items.filter((item) => kept.has(item));
}

function unitsOf<Item extends PromptItem>(items: readonly Item[]): Unit<Item>[] {
  const units: Unit<Item>[] = [];
  const byCall = new Map<string, Unit<Item>>();
  const begin = (said: boolean) => {
    const unit: Unit<Item> = { items: [], last: 0, pending: new Set(), said };
    units.push(unit);
    return unit;
  };
  for (const [at, item] of items.entries()) {
    if (item.type === "tool-result") {
      const unit = byCall.get(item.callId); // one whose call is not there is told to nobody
      if (!unit) continue;
      unit.pending.delete(item.callId);
      unit.items.push(item);
      unit.last = unit.pending.size > 0 ? Infinity : at;
    } else if (item.type === "tool-call") {
      const unit = units.at(-1) ?? begin(false);
      byCall.set(item.call.id, unit);
      unit.pending.add(item.call.id);
      unit.items.push(item);
      unit.last = Infinity;
    } else if (isMessage(item)) {
      const unit = begin(item.role === "user");
      unit.items.push(item);
      unit.last = at;
    }
  }
  return units;
}
