/** A session as it stands at a moment: all that another process needs to go on with it, as JSON. */
import * as z from "zod";
import type { HistoryItem } from "../history.ts";
import { outcomes, problemOfHistory, problemOfItem } from "../history/schema.ts";
import type { CallRecord } from "../tools/runner.ts";
import type { PresenceState } from "../turn/presence.ts";

const history = z.custom<HistoryItem>(
  (item) =>
    problemOfItem(item, "item") === undefined && typeof item === "object" && item !== null &&
    "id" in item && "atMs" in item,
  "an item of a history",
).array().superRefine((items, ctx) => {
  const problem = problemOfHistory(items, () => true);
  if (problem) ctx.addIssue(problem);
});

const callRecord: z.ZodType<CallRecord> = z.object({
  key: z.string(),
  callId: z.string(),
  name: z.string(),
  outcome: z.enum(outcomes),
  content: z.string(),
});

const quiet = { quietSinceMs: z.number().exactOptional() };
const presenceState: z.ZodType<PresenceState> = z.discriminatedUnion("is", [
  z.object({ is: z.literal("present"), ...quiet }),
  z.object({ is: z.literal("away"), sinceMs: z.number(), prompts: z.int().min(0), ...quiet }),
  z.object({
    is: z.literal("leaving"),
    reason: z.enum(["user-away", "max-duration", "cost-cap", "shutdown"]),
    awaySinceMs: z.number(),
  }),
]);

/** The conversation's part. */
const conversationSnapshot = z.object({
  /** With what was heard by then of what is being said. A call that is under way has no result. */
  history,
  /** How many turns were committed, and how often something was to be said: ids go on from there. */
  turns: z.int().min(0),
  speeches: z.int().min(0),
  /** The turn that has no outcome yet. */
  owed: z.string().optional(),
  /** What is being said: as far as its text is made (`whole`: to its end), and as far as it was heard. */
  saying: z.object({
    author: z.enum(["llm", "agent"]),
    text: z.string(),
    heard: z.string(),
    whole: z.boolean(),
    /** The user may not cut it off. */
    uninterruptible: z.literal(true).optional(),
  }).optional(),
  /** The texts that wait to be said, in their order. */
  waiting: z.array(z.object({
    text: z.string(),
    interruptible: z.boolean(),
    addToHistory: z.boolean(),
    priority: z.enum(["normal", "high", "immediate"]),
  })).exactOptional(),
  /** What the user is asked for that is dictated; `byCode`: as the agent's own code says. */
  expected: z.object({
    kind: z.enum(["email", "phone", "date", "digits"]),
    length: z.int().min(1).exactOptional(),
    byCode: z.boolean(),
  }).optional(),
  /** What the user has said of the turn that they are at, where it is handed over in the middle of that. */
  begun: z.string().exactOptional(),
  /** Where it is handed over: what is older of the user's voice, in milliseconds, was heard, or is silence. */
  unheardMs: z.number().exactOptional(),
  /** What must not be done again. */
  calls: z.array(callRecord),
  /** The summary that the model is told, and the ids of the items that it is about. */
  summary: z.object({ text: z.string(), covered: z.array(z.string()) }).optional(),
});

/** The format; `version` grows when older ones can no longer be read. */
export const sessionSnapshot = conversationSnapshot.extend({
  version: z.literal(1),
  sessionId: z.string().min(1),
  /** Who is in charge, by their name in the registry. */
  inCharge: z.string(),
  /** Milliseconds since the session began. */
  elapsedMs: z.number().min(0),
  /** When the user came, in milliseconds since the session began; missing while nobody has come. */
  talkingSinceMs: z.number().optional(),
  /** Whether they are still talking; in milliseconds since the session began. */
  presence: presenceState.optional(),
  /** The identity of the one it talks with. */
  participant: z.string().optional(),
  /** What the agent's `userdata()` has made, as it is by now. */
  userdata: z.json().optional(),
  /** In US dollars. */
  spentUsd: z.number().min(0),
});

export type ConversationSnapshot = Readonly<z.infer<typeof conversationSnapshot>>;
export type SessionSnapshot = Readonly<z.infer<typeof sessionSnapshot>>;
