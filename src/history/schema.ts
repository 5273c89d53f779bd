/** What an item of a history is made of, and what makes a list of them a history. */
import * as z from "zod";
import type { HistoryItem } from "../history.ts";

/** Of a call: see ToolOutcome. */
export const outcomes = [
  "done",
  "failed",
  "invalid",
  "declined",
  "timed-out",
  "cancelled",
  "running",
] as const;
const text = z.string({ error: "text" }).regex(/\S/, "text");
const id = z.string({ error: "an id" }).min(1, "an id").optional();
const images = z.array(
  z.looseObject({
    type: z.literal("image", "image"),
    mimeType: z.string({ error: "such as image/jpeg" }),
    data: z.string({ error: "base64" }),
  }, { error: "an image" }),
  { error: "images" },
).optional();
const atMs = z.number({ error: "milliseconds" }).optional();

/** What else an item holds is kept. */
const call = z.looseObject({
  type: z.literal("tool-call"),
  id,
  call: z.looseObject({
    id: z.string({ error: "the call's id" }).min(1, "the call's id"),
    name: text,
    arguments: z.unknown().optional(),
  }),
  atMs,
});
const result = z.looseObject({
  type: z.literal("tool-result"),
  id,
  callId: z.string({ error: "the call's id" }),
  outcome: z.enum(outcomes, { error: `one of ${outcomes.join(", ")}` }),
  content: z.string({ error: "text" }),
  images,
  atMs,
});
const speaker = z.looseObject(
  { identity: text, name: z.string({ error: "a name" }) },
  { error: "an identity and a name" },
);
const message = z.looseObject({
  type: z.literal("message").optional(),
  id,
  role: z.enum(["system", "user", "assistant"], { error: "system, user or assistant" }),
  text,
  speaker: speaker.optional(),
  images,
  interrupted: z.boolean({ error: "true or false" }).optional(),
  atMs,
});

/** What is wrong with the shape of `given`, which stands at `where`: one sentence; undefined when nothing is. */
export function problemOfItem(given: unknown, where: string): string | undefined {
  if (typeof given !== "object" || given === null) {
    return `${where} is ${JSON.stringify(given)}; expected an item`;
  }
  const type: unknown = "type" in given ? given.type : undefined;
  const schema = type === "tool-call" ? call : type === "tool-result" ? result : message;
  const issue = schema.safeParse(given).error?.issues[0];
  if (!issue) return undefined;
  const path = issue.path.map(String);
  const value = path.reduce<unknown>((of, key) => (of as Record<string, unknown> | undefined)?.[key], given);
  const expected = path[0] === "type" ? "message, tool-call or tool-result" : issue.message;
  return `${[where, ...path].join(".")} is ${JSON.stringify(value)}; expected ${expected}`;
}

/**
 * What keeps `items` from being a history: one sentence; undefined when nothing does. `isUnderWay`: whether the result of
 * that call is yet to come.
 */
export function problemOfHistory(
  items: readonly HistoryItem[],
  isUnderWay: (callId: string) => boolean,
): string | undefined {
  const ids = new Set<string>();
  const calls = new Map<string, number>();
  const results = new Set<string>();
  for (const [at, item] of items.entries()) {
    const where = `items[${at}]`;
    const before = items[at - 1];
    if (ids.has(item.id)) return `${where} has the id ${JSON.stringify(item.id)}, as another item does`;
    if (before && item.atMs < before.atMs) {
      return `${where} is of ${item.atMs} ms, behind one of ${before.atMs} ms; expected the order of their times`;
    }
    ids.add(item.id);
    if (item.type === "tool-call") {
      if (calls.has(item.call.id)) return `${where} is the call ${JSON.stringify(item.call.id)} once more`;
      calls.set(item.call.id, at);
    } else if (item.type === "tool-result") {
      const named = JSON.stringify(item.callId);
      if (!calls.has(item.callId)) {
        return `${where} is the result of the call ${named}, which does not stand before it`;
      }
      if (results.has(item.callId)) return `${where} is a second result of the call ${named}`;
      results.add(item.callId);
    }
  }
  for (const [callId, at] of calls) {
    if (results.has(callId) || isUnderWay(callId)) continue;
    return `items[${at}] is the call ${
      JSON.stringify(callId)
    }, which has no result; expected one, or a call that is under way`;
  }
  return undefined;
}
