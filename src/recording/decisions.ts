/** What was decided in a recorded session, and where two recordings of it differ. */
import type { Entry, Recording } from "./recording.ts";

export interface Decision {
  readonly atMs: number;
  /** Decisions of a kind follow each other; those of two kinds may lie as close together as to change places. */
  readonly kind: string;
  /** What it was, in words. */
  readonly what: string;
  /** Words that were heard until they were cut off: where that was is known to a word. */
  readonly cutText?: string;
  /** It only gets ready for what may come, and depends on the moment: it is shown, and not compared. */
  readonly prepares?: true;
}

/** How far apart the same decision may lie, in milliseconds, and two texts that were cut off, in words. */
export interface Tolerance {
  readonly ms: number;
  readonly words: number;
}

type Told = Readonly<Record<string, unknown>>;

const texts: Readonly<Record<string, (event: Told) => string>> = {
  "user-speech-committed": ({ turnId, text }) => `${turnId}: the user's turn ended with ${quoted(text)}`,
  "handoff": ({ from, to }) => `${from} handed the conversation over to ${to}`,
  "turn-ended": ({ turnId, outcome }) => `${turnId} was ${outcome}`,
  "agent-started-speaking": ({ replyId }) => `${replyId} began to be heard`,
  "false-interruption": ({ replyId }) => `${replyId} went on: it was no interruption`,
  "speculation": ({ turnId, prepared, kept }) =>
    `${turnId}: ${prepared} ${prepared === 1 ? "answer was" : "answers were"} prepared, ` +
    `${kept ? (prepared === 1 ? "and kept" : "the last was kept") : "and not kept"}`,
  "stall-recovered": ({ replyId, stage }) => `${replyId} stood still at ${stage} and was ended`,
  "user-away": () => "the user was taken to be away",
  "user-returned": () => "the user was there again",
  "error": ({ error }) => `a stage failed: ${quoted((error as Told | undefined)?.message)}`,
  "closed": ({ reason }) => `the session ended: ${reason}`,
};

/** The decisions of a recording, in order. */
export function decisionsOf({ entries }: Recording): Decision[] {
  return entries.flatMap((entry): Decision[] => {
    const { atMs } = entry;
    switch (entry.type) {
      case "speaker-paused":
        return [{ atMs, kind: "pause", what: "the agent paused, since the user seemed to interrupt" }];
      case "speaker-resumed":
        return [{ atMs, kind: "pause", what: "the agent went on where it had paused" }];
      case "stream-opened":
        return entry.of === "llm"
          ? [{
            atMs,
            kind: "model",
            prepares: true,
            what: `the model was asked, last with ${quoted(entry.input)}`,
          }]
          : [];
      case "session-told":
        return told(atMs, entry.event);
      default:
        return [];
    }
  });
}

function told(atMs: number, event: Extract<Entry, { type: "session-told" }>["event"]): Decision[] {
  const { type } = event;
  if (type === "agent-speech-committed") {
    const { replyId, text, interrupted } = event as Told;
    if (interrupted !== true) return [{ atMs, kind: type, what: `${replyId} was said: ${quoted(text)}` }];
    return [{ atMs, kind: type, what: `${replyId} was cut off`, cutText: String(text) }];
  }
  const what = texts[type]?.(event);
  if (what === undefined) return [];
  return [{ atMs, kind: type, what, ...(type === "speculation" && { prepares: true }) }];
}

/** The first decision in which `replayed` differs from `recorded`, as a sentence; undefined when there is none. */
export function firstDifference(
  recorded: readonly Decision[],
  replayed: readonly Decision[],
  tolerance: Tolerance,
): string | undefined {
  const compared = comparable(recorded);
  const found = comparable(replayed);
  const differences: { readonly atMs: number; readonly text: string }[] = [];
  for (const kind of new Set([...compared, ...found].map(({ kind }) => kind))) {
    const [then, now] = [compared, found].map((all) => all.filter((one) => one.kind === kind));
    const count = Math.max(then?.length ?? 0, now?.length ?? 0);
    for (let at = 0; at < count; at++) {
      const [was, is] = [then?.[at], now?.[at]];
      const text = difference(was, is, tolerance);
      if (text === undefined) continue;
      differences.push({ atMs: Math.min(was?.atMs ?? Infinity, is?.atMs ?? Infinity), text });
      break;
    }
  }
  return differences.toSorted((a, b) => a.atMs - b.atMs)[0]?.text;
}

const comparable = (decisions: readonly Decision[]) => decisions.filter(({ prepares }) => !prepares);

function difference(
  was: Decision | undefined,
  is: Decision | undefined,
  { ms, words }: Tolerance,
): string | undefined {
  if (!was) return is && `At ${seconds(is)} the replay has, and the recording has not: ${is.what}.`;
  if (!is) return `At ${seconds(was)} the recording has, and the replay has not: ${was.what}.`;
  const apartMs = Math.abs(was.atMs - is.atMs);
  if (was.what !== is.what) {
    return `At ${seconds(was)} the recording has: ${was.what}; the replay has at ${seconds(is)}: ${is.what}.`;
  }
  if (!sameUntilCut(was.cutText ?? "", is.cutText ?? "", words)) {
    const [then, now] = [was, is].map(({ cutText }) => quoted(cutText));
    return `At ${seconds(was)} ${was.what} after ${then} in the recording, after ${now} in the replay.`;
  }
  if (apartMs <= ms) return undefined;
  return `${was.what}: at ${seconds(was)} in the recording, at ${seconds(is)} in the replay, ` +
    `${Math.round(apartMs)} ms apart; expected ${ms} at the most.`;
}

/** Whether one is the beginning of the other and lacks no more than so many words. */
function sameUntilCut(a: string, b: string, words: number): boolean {
  const [short = [], long = []] = [a, b].map((text) => text.split(/\s+/).filter(Boolean))
    .toSorted((x, y) => x.length - y.length);
  return long.length - short.length <= words && short.every((word, at) => word === long[at]);
}

/** How far the same decisions lie apart at the most, in milliseconds. */
export function farthestApart(recorded: readonly Decision[], replayed: readonly Decision[]): number {
  const left = comparable(replayed);
  return comparable(recorded).reduce((most, { kind, atMs }) => {
    const at = left.findIndex((one) => one.kind === kind);
    const [found] = at < 0 ? [] : left.splice(at, 1);
    return found ? Math.max(most, Math.abs(found.atMs - atMs)) : most;
  }, 0);
}

/** The decisions as lines to read, with their times. */
export function conversationLines(decisions: readonly Decision[]): string[] {
  return decisions.map((decision) => {
    const { what, cutText } = decision;
    return `${seconds(decision).padStart(9)}  ${what}${
      cutText === undefined ? "" : ` after ${quoted(cutText)}`
    }`;
  });
}

const seconds = ({ atMs }: Decision): string => `${(atMs / 1000).toFixed(2)} s`;
const quoted = (text: unknown): string => JSON.stringify(text ?? "");
