/** A session's report: what was said, how each turn went, what was used and what failed. */
import * as z from "zod";
import type { AgentState } from "../room/room.ts";

const atMs = z.number().describe("milliseconds since the session began");
const costUsd = z.number().optional().describe("in US dollars; missing where the model has no price");
const provider = { provider: z.string(), model: z.string(), costUsd };
const count = z.int().min(0);

const states = [
  "initializing",
  "idle",
  "listening",
  "thinking",
  "speaking",
  "closed",
] as const satisfies readonly (AgentState | "closed")[];

const latency = z.object({
  endpointingMs: z.number().optional(),
  sttMs: z.number().optional(),
  llmMs: z.number().optional(),
  clauseMs: z.number().optional(),
  ttsMs: z.number().optional(),
  playoutMs: z.number().optional(),
  heldMs: z.number().optional(),
  totalMs: z.number(),
}).describe("where the time went from the user's last voiced sample to the agent's first, in milliseconds");

const transcriptItem = z.object({
  id: z.string(),
  role: z.enum(["user", "assistant"]),
  text: z.string().describe("the agent's words as far as they were heard"),
  speaker: z.object({ identity: z.string(), name: z.string() }).optional()
    .describe("whose words they are, where the agent hears several people"),
  interrupted: z.boolean(),
  atMs,
});

const turn = z.object({
  turnId: z.string(),
  text: z.string().describe("what was answered"),
  atMs: atMs.describe("when the turn was committed, milliseconds since the session began"),
  outcome: z.enum(["open", "answered", "interrupted", "superseded", "declined", "failed"])
    .describe("how the turn ended; open: it has not"),
  endedAtMs: atMs.optional(),
  latency: latency.optional(),
});

const usage = z.discriminatedUnion("stage", [
  z.object({ stage: z.literal("stt"), ...provider, audioMs: z.number().describe("audio that was sent") }),
  z.object({
    stage: z.literal("llm"),
    ...provider,
    requests: count,
    uncounted: count.describe("requests that were cut off or failed before the provider told their tokens"),
    inputTokens: count,
    cachedInputTokens: count.describe("those of the input that the provider had in its cache"),
    outputTokens: count,
    audio: z.object({ inputTokens: count, cachedInputTokens: count, outputTokens: count }).optional()
      .describe("those of them that are sound, of a model that hears and speaks"),
  }),
  z.object({
    stage: z.literal("tts"),
    ...provider,
    requests: count,
    characters: count.describe("characters that were sent"),
    audioMs: z.number().describe("audio that came"),
  }),
]);

const failure = z.object({
  stage: z.enum(["room", "vad", "stt", "llm", "tts", "turn", "agent", "session"]),
  provider: z.string().optional(),
  message: z.string(),
  retryable: z.boolean(),
  atMs,
});

/** What `GET /sessions` lists of each session. */
export const sessionSummary = z.object({
  sessionId: z.string(),
  room: z.string(),
  roomSid: z.string(),
  agent: z.string(),
  participant: z.string().optional().describe("the identity of the one it talks with, or is for"),
  state: z.enum(states).describe("what the agent is doing; closed once the session has ended"),
  closeReason: z.string().optional().describe("why it ended"),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  durationMs: z.number(),
}).meta({ id: "Session" });

/** What `GET /sessions/:id` answers, and what is posted when the session has ended. */
export const sessionReport = sessionSummary.extend({
  transcript: z.array(transcriptItem),
  turns: z.array(turn),
  interruptions: count.describe("replies that were cut off"),
  falseInterruptions: count.describe("replies that were paused for a noise, and went on"),
  stalls: count.describe("what got no further and was ended, so that the call could go on"),
  resumed: count.describe(
    "how often it went on in another process",
  ),
  handoffs: z.array(z.object({ from: z.string(), to: z.string(), atMs }))
    .describe("agents that handed the conversation over, and to whom"),
  speculation: z.object({
    prepared: count.describe("answers that were prepared before the turn was over"),
    kept: count.describe("turns that were answered with one of them"),
    wasted: z.object({ inputTokens: count, outputTokens: count })
      .describe("tokens of the others; estimated where an answer was cut off"),
  }),
  usage: z.array(usage),
  cost: z.object({
    currency: z.literal("USD"),
    total: z.number().describe(
      "what was used of models that have a price; estimated for answers that were cut off",
    ),
    unpriced: z.array(z.string()).describe("models (provider/model) that were used and have no price"),
  }),
  errors: z.array(failure).describe("the last 100"),
  droppedEvents: count.describe("events that are too old to be read any more"),
}).meta({ id: "SessionReport" });

/** The part of a report that events make up. */
export const reportSums = sessionReport.pick({
  turns: true,
  interruptions: true,
  falseInterruptions: true,
  stalls: true,
  handoffs: true,
  resumed: true,
  speculation: true,
  usage: true,
  cost: true,
  errors: true,
});

export type SessionSummary = z.infer<typeof sessionSummary>;
export type ReportSums = z.infer<typeof reportSums>;
export type SessionReport = z.infer<typeof sessionReport>;
