/**
 * Why it was silent: every long gap of a call, from the user's last voiced sample to the agent's first one or in the middle
 * of a reply, with its causes in order. Made of the session's events alone.
 */
import * as z from "zod";
import type { Stage } from "../errors.ts";
import type { ReplyLatency, SessionEvent, SessionEventOf } from "../events.ts";
import { createToolTimes, type ToolTimes } from "./tool_times.ts";

/** Shorter gaps need no explanation. */
const leastGapMs = 1_000;
/** A final transcript that took this long is a cause of its own, not a part of the wait for the end of the turn. */
const slowTranscriptMs = 1_000;

const milliseconds = z.int().min(0);

/** What a stretch of a gap was spent on. */
export const gapPart = z.object({
  cause: z.enum(["stt", "endpointing", "held", "llm", "tool", "clause", "tts", "playout", "failure", "line"]),
  ms: milliseconds,
  words: z.string(),
}).meta({
  id: "GapPart",
  example: { cause: "llm", ms: 2_200, words: "first token after 2,200 ms" },
});

/** One gap; its parts follow each other and sum to `ms`. */
export const gap = z.object({
  where: z.enum(["before-speech", "inside-speech"]),
  replyId: z.string(),
  turnId: z.string().optional(),
  atMs: milliseconds.meta({ description: "When it began, in milliseconds since the session did." }),
  ms: milliseconds,
  parts: z.array(gapPart),
  words: z.string().meta({ description: "All parts in one line." }),
}).meta({ id: "Gap" });

export type GapPart = z.infer<typeof gapPart>;
export type Gap = z.infer<typeof gap>;

interface Part {
  readonly cause: GapPart["cause"];
  readonly ms: number;
  /** What it was, once its length is written out. */
  readonly say: (ms: string) => string;
}

/** What the user is owed an answer to: since `fromMs`, the last voiced sample, these parts have gone by. */
interface Owed {
  readonly turnId?: string;
  readonly fromMs: number;
  readonly parts: readonly Part[];
}

/** The gaps of `events`, in order. */
export function gapsOf(events: Iterable<SessionEvent>, leastMs = leastGapMs): Gap[] {
  const next = gapFinder(leastMs);
  return [...events].flatMap((event) => next(event) ?? []);
}

/** Finds gaps as events come: each event ends one at the most. */
export function gapFinder(leastMs = leastGapMs): (event: SessionEvent) => Gap | undefined {
  let owed: Owed | undefined;
  /** Whether the recognizer has failed and brought no words since. */
  let deaf = false;
  const tools = createToolTimes();
  const long = (found: Gap | undefined) => found && found.ms >= leastMs ? found : undefined;
  return (event) => {
    switch (event.type) {
      case "user-transcript":
        deaf = false;
        return undefined;
      case "user-stopped-speaking":
        if (!owed && event.silentMs !== undefined) owed = { fromMs: event.atMs - event.silentMs, parts: [] };
        return undefined;
      case "user-speech-committed":
        owed = committed(event);
        return undefined;
      case "turn-ended":
        if (event.turnId !== owed?.turnId || event.outcome === "superseded") return undefined;
        owed = owed && event.outcome === "failed" ? failed(owed, event.atMs) : undefined;
        return undefined;
      case "error":
        deaf ||= event.error.stage === "stt";
        owed = owed && blamed(owed, event.error.stage);
        return undefined;
      case "tools-called":
      case "tools-finished":
        tools.note(event);
        return undefined;
      case "agent-started-speaking": {
        const since = owed?.turnId !== undefined || deaf ? owed : undefined;
        owed = undefined;
        return since && long(before(since, event, tools));
      }
      case "speech-gap":
        return long(inside(event, tools));
      default:
        return undefined;
    }
  };
}

function committed({ turnId, atMs, waitedMs = 0 }: SessionEventOf<"user-speech-committed">): Owed {
  return { turnId, fromMs: atMs - waitedMs, parts: waited({ endpointingMs: waitedMs }) };
}

const endOf = ({ fromMs, parts }: Owed): number => parts.reduce((sum, { ms }) => sum + ms, fromMs);

function failed(owed: Owed, atMs: number): Owed {
  const failure: Part = { cause: "failure", ms: atMs - endOf(owed), say: (ms) => `a failure after ${ms}` };
  return { ...owed, parts: [...owed.parts, failure] };
}

/** The error that follows a failure says whose it was. */
function blamed(owed: Owed, stage: Stage): Owed {
  const last = owed.parts.at(-1);
  if (last?.cause !== "failure") return owed;
  const say = (ms: string) => `${names[stage]} had failed after ${ms}`;
  return { ...owed, parts: [...owed.parts.slice(0, -1), { ...last, say }] };
}

/** The time in which words were waited for, from `fromMs` on: what the reply's tools took of it is theirs. */
function thinking(
  { replyId, fromMs, ms, say }: Pick<Part, "ms" | "say"> & {
    readonly replyId: string;
    readonly fromMs: number;
  },
  tools: ToolTimes,
): Part[] {
  const parts: Part[] = [];
  let atMs = fromMs;
  for (const { names, ...used } of tools.within(replyId, fromMs, fromMs + ms)) {
    parts.push(
      { cause: "llm", ms: used.fromMs - atMs, say: (ms) => `${names} called after ${ms}` },
      { cause: "tool", ms: used.toMs - used.fromMs, say: (ms) => `${names} took ${ms}` },
    );
    atMs = used.toMs;
  }
  return [...parts, { cause: "llm", ms: fromMs + ms - atMs, say }];
}

function before(
  owed: Owed,
  { replyId, turnId: passedOn, latency, atMs }: SessionEventOf<"agent-started-speaking">,
  tools: ToolTimes,
): Gap {
  const answers = owed.turnId === (passedOn ?? replyId);
  const first = answers ? waited(latency) : owed.parts;
  const own = made(latency, { replyId, passedOn, atMs, tools });
  const { fromMs, turnId } = owed;
  const restMs = Math.max(0, atMs - fromMs - sum(first) - sum(own));
  const rest: Part = turnId === undefined
    ? { cause: "stt", ms: restMs, say: (ms) => `the recognizer brought no words for ${ms}` }
    : { cause: "line", ms: restMs, say: (ms) => `waited ${ms} for its turn in line` };
  const parts = [...first, rest, ...own];
  return gapFrom(parts, {
    where: "before-speech",
    replyId,
    ...(turnId !== undefined && { turnId }),
    atMs: fromMs,
  });
}

function inside(
  { replyId, atMs, gap: { ms, heldMs, llmMs, ttsMs, playoutMs } }: SessionEventOf<"speech-gap">,
  tools: ToolTimes,
): Gap {
  const say = (ms: string) => `no more words for ${ms}`;
  const parts: Part[] = [
    { cause: "held", ms: heldMs, say: heldBack },
    ...thinking({ replyId, fromMs: atMs - ms + heldMs, ms: llmMs, say }, tools),
    { cause: "tts", ms: ttsMs, say: (ms) => `audio of them after ${ms}` },
    { cause: "playout", ms: playoutMs, say: (ms) => `the room did not play for ${ms}` },
  ];
  return gapFrom(parts, { where: "inside-speech", replyId, atMs: Math.max(0, atMs - ms) });
}

/** The wait for the end of the turn. */
function waited({ endpointingMs = 0, sttMs = 0 }: Partial<ReplyLatency>): Part[] {
  const transcriptMs = sttMs >= slowTranscriptMs ? Math.min(sttMs, endpointingMs) : 0;
  const endMs = endpointingMs - transcriptMs;
  return [
    { cause: "stt", ms: transcriptMs, say: (ms) => `final transcript after ${ms}` },
    { cause: "endpointing", ms: endMs, say: (ms) => `waited ${ms} for the end of the turn` },
  ];
}

/** How the reply came to be that began to be heard at `atMs`. */
function made(
  { heldMs = 0, llmMs = 0, clauseMs = 0, ttsMs = 0, playoutMs = 0 }: ReplyLatency,
  { replyId, passedOn, atMs, tools }: {
    readonly replyId: string;
    /** The turn that it answers, and that another agent had begun to answer. */
    readonly passedOn: string | undefined;
    readonly atMs: number;
    readonly tools: ToolTimes;
  },
): Part[] {
  const fromMs = atMs - playoutMs - ttsMs - clauseMs - llmMs;
  const say = (ms: string) => `first token after ${ms}`;
  const handOver = (ms: string) => `another agent took over after ${ms}`;
  const before: Part[] = passedOn === undefined
    ? [{ cause: "held", ms: heldMs, say: heldBack }]
    : thinking({ replyId: passedOn, fromMs: fromMs - heldMs, ms: heldMs, say: handOver }, tools);
  return [
    ...before,
    ...thinking({ replyId, fromMs, ms: llmMs, say }, tools),
    { cause: "clause", ms: clauseMs, say: (ms) => `first clause after ${ms}` },
    { cause: "tts", ms: ttsMs, say: (ms) => `first audio after ${ms}` },
    { cause: "playout", ms: playoutMs, say: (ms) => `played after ${ms}` },
  ];
}

const heldBack = (ms: string): string => `kept back for ${ms} because somebody seemed to speak`;

const sum = (parts: readonly Part[]): number => parts.reduce((total, { ms }) => total + ms, 0);

/** A gap of whole milliseconds, whose parts sum to it; parts that come to nothing are left out. */
function gapFrom(parts: readonly Part[], facts: Pick<Gap, "where" | "replyId" | "turnId" | "atMs">): Gap {
  let exact = 0;
  let whole = 0;
  const shown: GapPart[] = [];
  for (const { cause, ms, say } of parts) {
    exact += ms;
    const part = Math.round(exact) - whole;
    whole += part;
    if (part > 0) shown.push({ cause, ms: part, words: say(`${part.toLocaleString("en")} ms`) });
  }
  const words = shown.map((part) => part.words).join("; ");
  return { ...facts, atMs: Math.round(facts.atMs), ms: whole, parts: shown, words };
}

const names: Readonly<Record<Stage, string>> = {
  room: "the room",
  vad: "voice detection",
  stt: "the recognizer",
  llm: "the language model",
  tts: "the voice",
  turn: "the judge of the end of the turn",
  agent: "the agent's own code",
  session: "the session",
};
