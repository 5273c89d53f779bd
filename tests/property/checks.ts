/** What holds of every call, whatever happens in it; each check returns what does not, in words. */
import type { SessionEvent } from "../../src/events.ts";
import { type HistoryItem, saidIn } from "../../src/history.ts";
import type { Message } from "../../src/llm/llm.ts";
import { wireMessages } from "../../src/llm/openai.ts";
import { refusalOfMessages } from "../emulators/openai_requests.ts";
import type { PlayedSpan, ShownTranscript } from "../../src/room/memory.ts";
import type { VoiceSession } from "../../src/voice_session.ts";

/** The agent is not "thinking" or "speaking" for longer without anything happening or being heard. */
const stuckMs = 15_500;
/** While tools are used: three questions that the user does not answer, and a tool that is stopped after 5 s. */
const busyMs = 3 * 15_500 + 5_500;

/** Well formed at every instant: in the order in which it was said, nothing twice, nothing empty. */
export function checkHistory(history: readonly HistoryItem[]): string[] {
  const wrong: string[] = [];
  if (new Set(history.map(({ id }) => id)).size < history.length) wrong.push("an id is in the history twice");
  for (const { text, role } of saidIn(history)) {
    if (text.trim() === "") wrong.push(`an empty item of the ${role} is in the history`);
  }
  for (const [i, { atMs }] of history.entries()) {
    if (atMs < (history[i - 1]?.atMs ?? 0)) wrong.push("the history is out of order");
  }
  const calls = history.flatMap((item) => item.type === "tool-call" ? [item.call.id] : []);
  const results = history.flatMap((item) => item.type === "tool-result" ? [item.callId] : []);
  if (new Set(calls).size < calls.length) wrong.push("a call is in the history twice");
  if (new Set(results).size < results.length) wrong.push("a result is in the history twice");
  if (results.some((id) => !calls.includes(id))) wrong.push("a result is in the history whose call is not");
  return wrong;
}

/** What a model is asked: the instructions first, then the conversation, well formed, with no more than one reply's instructions. */
export function checkMessages(messages: readonly Message[]): string[] {
  const wrong: string[] = [];
  if (messages[0]?.role !== "system") wrong.push("the model was asked without instructions");
  // Those of one reply stand where it began: before the tools that it has called.
  const notes = messages.findIndex(({ content }) => content.startsWith("Notes of what was said before"));
  if (notes > 1) wrong.push("the summary is not told before the conversation");
  const rest = messages.slice(notes === 1 ? 2 : 1);
  if (rest.filter(({ role }) => role === "system").length > 1) {
    wrong.push("the instructions were given twice");
  }
  const empty = messages.some((message) => message.content.trim() === "" && !("toolCalls" in message));
  if (empty) wrong.push("the model was told nothing");
  const refusal = refusalOfMessages(wireMessages(messages) as never);
  if (refusal) wrong.push(refusal.message);
  return wrong;
}

/** Whether the agent listens, or the call has ended, and no turn is open. */
export const isAtRest = (session: VoiceSession, events: readonly SessionEvent[]): boolean =>
  checkRest(session, events).length === 0;

/** Long after everything that happened, the agent listens, or the call has ended. */
export function checkRest({ state }: VoiceSession, events: readonly SessionEvent[]): string[] {
  const owed = outcomes(events).filter(({ ends }) => ends.length === 0);
  return [
    ...(state === "listening" || state === "closed" ? [] : [`the agent is ${state} for good`]),
    ...owed.map(({ turnId }) => `${turnId} has no outcome by its deadline`),
  ];
}

function outcomes(events: readonly SessionEvent[]) {
  return events.flatMap((event) => event.type === "user-speech-committed" ? [event] : []).map((
    { turnId },
  ) => ({
    turnId,
    ends: events.filter((event) => event.type === "turn-ended" && event.turnId === turnId),
  }));
}

/** The whole call, once it is over. */
export function checkStory({ events, played, shown, history, isWhole, inCharge, isLeftAlone }: {
  readonly events: readonly SessionEvent[];
  readonly played: readonly PlayedSpan[];
  readonly shown: readonly ShownTranscript[];
  readonly history: readonly HistoryItem[];
  /** Nothing was taken out of the history. */
  readonly isWhole: boolean;
  /** Who was in charge when it began. */
  readonly inCharge: string;
  /** Nothing but the user's words cut off what was to be said, or ended the call. */
  readonly isLeftAlone: boolean;
}): string[] {
  return [
    ...checkHistory(history),
    ...checkTurns(events),
    ...(isLeftAlone ? checkSuperseded(events) : []),
    ...checkWords(events),
    ...checkStalls(events),
    ...checkProgress(events, played),
    ...checkTranscripts(events, shown),
    ...checkCalls(events, history, isWhole),
    ...checkHandoffs(events, inCharge),
    ...checkLatencies(events),
    ...(events.at(-1)?.type === "closed" ? [] : ["the last event is not that the session was closed"]),
  ];
}

/** Each call that was told of has one result at the end, in the history and, but for what ended it all, in the events. */
function checkCalls(
  events: readonly SessionEvent[],
  history: readonly HistoryItem[],
  isWhole: boolean,
): string[] {
  const told = events.flatMap((event) => event.type === "tools-called" ? event.calls : []).map(({ id }) =>
    id
  );
  const calls = history.flatMap((item) => item.type === "tool-call" ? [item.call.id] : []);
  const results = history.flatMap((item) => item.type === "tool-result" ? [item.callId] : []);
  return [
    ...(isWhole && told.some((id) => !calls.includes(id))
      ? ["a call was told of that is not in the history"]
      : []),
    ...calls.filter((id) => !results.includes(id)).map((id) => `${id} has no result`),
  ];
}

/** Who hands over was handed the conversation before, and none do so for ever. */
function checkHandoffs(events: readonly SessionEvent[], first: string): string[] {
  let inCharge = first;
  let count = 0;
  return events.flatMap((event) => {
    if (event.type === "user-speech-committed") count = 0;
    if (event.type !== "handoff") return [];
    const { from, to } = event;
    const wrong = [
      ...(from !== inCharge ? [`${from} handed over, and ${inCharge} was in charge`] : []),
      ...(++count > 5 ? ["the conversation was handed over for ever"] : []),
    ];
    inCharge = to;
    return wrong;
  });
}

/** Where the time went: from the last voiced sample of the turn on, no part is negative, and together they are all of it. */
function checkLatencies(events: readonly SessionEvent[]): string[] {
  const begun = events.filter((event) => event.type === "agent-started-speaking");
  const isSame = (a: number, b: number) => Math.abs(a - b) < 1e-6;
  const wrong = begun.flatMap(({ atMs, replyId, turnId = replyId, latency }) => {
    const { totalMs, sttMs = 0, ...parts } = latency;
    const sum = Object.values(parts).reduce((sum, ms) => sum + ms, 0);
    const turn = events.find((event) => event.type === "user-speech-committed" && event.turnId === turnId);
    const sinceMs = turn?.type === "user-speech-committed" ? turn.atMs - (turn.waitedMs ?? 0) : undefined;
    return [
      ...(Math.min(sttMs, ...Object.values(parts)) < 0 ? ["is negative"] : []),
      ...(isSame(sum, totalMs) ? [] : ["does not sum to its total"]),
      ...(sttMs > (parts.endpointingMs ?? 0) ? ["has a transcript later than the turn's end"] : []),
      ...(sinceMs === undefined || isSame(sinceMs + totalMs, atMs) ? [] : ["is not the time that went by"]),
    ].map((what) => `the latency of ${replyId} ${what}: ${JSON.stringify(latency)}`);
  });
  const told = events.flatMap((event) => event.type === "turn-metrics" && event.latency ? [event] : []);
  return [
    ...wrong,
    ...told.filter(({ latency }) => !begun.some((event) => event.latency === latency))
      .map(({ turnId }) => `the metrics of ${turnId} have another latency`),
    ...begun.filter(({ replyId, turnId = replyId }) =>
      events.some((event) => event.type === "user-speech-committed" && event.turnId === turnId) &&
      !told.some((event) => event.turnId === turnId)
    ).map(({ replyId }) => `there are no metrics of ${replyId}`),
  ];
}

/** Every turn has exactly one outcome, and is committed once. */
function checkTurns(events: readonly SessionEvent[]): string[] {
  const turns = outcomes(events);
  const twice = new Set(turns.map(({ turnId }) => turnId)).size < turns.length;
  return [
    ...(twice ? ["a turn was committed twice"] : []),
    ...turns.filter(({ ends }) => ends.length !== 1).map(({ turnId, ends }) =>
      `${turnId} has ${ends.length} outcomes`
    ),
  ];
}

/** An answer that gave way to more words is made up for: the last turn's did not. */
function checkSuperseded(events: readonly SessionEvent[]): string[] {
  const last = outcomes(events).at(-1);
  const gaveWay = last?.ends.some((event) => event.type === "turn-ended" && event.outcome === "superseded");
  return gaveWay ? [`${last?.turnId} was superseded by nothing`] : [];
}

/** Nothing that the user said once is in a turn twice: each of their words is another one. */
function checkWords(events: readonly SessionEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type !== "user-speech-committed") return [];
    const words = event.text.split(" ").filter((word) => word !== "yes" && word !== "no");
    return new Set(words).size < words.length ? [`the turn "${event.text}" has words twice`] : [];
  });
}

/** Whatever a model or a voice does, each reply ends by itself: the last resort is for what nobody has thought of. */
function checkStalls(events: readonly SessionEvent[]): string[] {
  const last = events.filter((event) => event.type === "stall-recovered" && event.stage === "session");
  return last.length > 0 ? ["the conversation had to go on without a reply that did not end"] : [];
}

/** "thinking" and "speaking" always get further: something happens, or is heard. */
function checkProgress(events: readonly SessionEvent[], played: readonly PlayedSpan[]): string[] {
  let state = "listening";
  let sinceMs = 0;
  let usesTools = false;
  for (const event of events) {
    const heardMs = played.reduce((sum, { fromMs, toMs }) => {
      return sum + Math.max(0, Math.min(toMs, event.atMs) - Math.max(fromMs, sinceMs));
    }, 0);
    const stillMs = event.atMs - sinceMs - heardMs;
    const allowedMs = usesTools ? busyMs : stuckMs;
    if ((state === "thinking" || state === "speaking") && stillMs > allowedMs) {
      return [`the agent was ${state} for ${Math.round(stillMs)} ms without progress`];
    }
    if (event.type === "state-changed") state = event.state;
    if (event.type === "tools-called" || event.type === "tools-finished") {
      usesTools = event.type === "tools-called";
    }
    sinceMs = event.atMs;
  }
  return [];
}

/** What the room was shown of a reply is what was heard of it. */
function checkTranscripts(events: readonly SessionEvent[], shown: readonly ShownTranscript[]): string[] {
  return events.flatMap((event) => {
    if (event.type !== "agent-speech-committed") return [];
    const pieces = shown.filter(({ of, id }) => of === "agent" && id === event.replyId);
    const text = pieces.map(({ text }) => text).join("");
    const closed = pieces.filter(({ final }) => final).length === 1;
    if (text === event.text && closed) return [];
    return [
      `${event.replyId} was shown as "${text}"${closed ? "" : ", not closed"}, and kept as "${event.text}"`,
    ];
  });
}
