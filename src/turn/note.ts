/** Takes note of what happened; decides nothing. */
import { withoutEcho } from "./echo.ts";
import { withoutQuestion } from "./policy.ts";
import type { AgentVoice, AskedFinal, TurnEvent, TurnOptions, TurnState, UserVoice, Words } from "./state.ts";
import { commitWords, hearFinal, hearInterim, textOf } from "./words.ts";

/** Nobody says the same words again within this time. */
const SAME_AGAIN_MS = 200;
/** Pauses shorter than this lie between the syllables of a word. */
const SHORTEST_PAUSE_MS = 200;
/** How much the latest pause counts in the average, at the least. */
const NEW_PAUSE_SHARE = 0.25;
/** The agent's voice may come back through the microphone for so long after its end. */
const ECHO_TAIL_MS = 500;
/** The words of an echo come this long after it at the latest. */
const ECHO_WORDS_MS = 1500;
/** Words of which the recognizer is less sure than this (0–1) are a guess. */
const GUESSED_BELOW = 0.4;
/** So many words of the agent's in one utterance are no chance. */
const SURELY_ECHO = 3;

/** The state that knows of `event`. */
export function note(state: TurnState, event: TurnEvent, options: TurnOptions): TurnState {
  switch (event.type) {
    case "speech-start":
    case "speech-resume":
      return {
        ...state,
        user: hearVoice(state.user, event.type, event.atMs),
        pauses: measurePause(state, event.atMs),
        recognizedEnd: "none",
        fadedMs: undefined,
        ...hearMore(state),
      };
    case "speech-pause":
    case "speech-end":
      return { ...state, user: hearVoice(state.user, event.type, event.atMs) };
    case "speech-fade":
      return { ...state, fadedMs: event.nowMs };
    case "speech-swell":
      return { ...state, fadedMs: undefined, ...hearMore(state) };
    case "transcript-interim":
    case "transcript-final":
      return hearWords(state, event, options);
    case "turn-judged":
      return { ...state, judged: { atMs: event.atMs, probability: event.probability } };
    case "turn-start": {
      // What was said before the key was pressed is no part of it, but for the word that one is at.
      const words = state.user.is === "speaking" ? state.words : commitWords(state.words);
      return { ...state, key: { is: "down" }, words };
    }
    case "turn-commit":
      return { ...state, key: { is: "released", atMs: event.nowMs } };
    case "turn-cancel":
      return {
        ...state,
        key: { is: "up" },
        words: commitWords(state.words),
        user: { is: "silent" },
        gaveWay: false,
      };
    case "text-message": {
      const words = hearFinal(state.words, event.text, event.nowMs, true, event.speaker);
      return { ...state, user: { is: "silent" }, words };
    }
    case "hearing-lost":
    case "hearing-found":
      return { ...state, hearing: event.type === "hearing-found" };
    case "expectation-changed":
      return { ...state, expected: event.expected };
    case "reply-ended":
      return { ...state, agent: followReply(state.agent, event), agentUntilMs: event.nowMs };
    case "reply-begun": {
      // Nothing is begun while the user is at a turn: a voice that goes on now is one without words.
      const dismissed = state.user.is === "speaking" ? { dismissedMs: state.user.sinceMs } : {};
      const { replyId } = event;
      return { ...state, agent: { is: "thinking", replyId, answers: false, ...kept(event), ...dismissed } };
    }
    case "reply-started":
      return { ...state, agent: followReply(state.agent, event) };
    case "reply-kept":
    case "question-asked":
    case "question-over":
      return { ...state, agent: changeReply(state.agent, event) };
    case "interrupt":
    case "wake":
      return state;
  }
}

type Transcript = Extract<TurnEvent, { type: "transcript-interim" | "transcript-final" }>;

function hearWords(state: TurnState, event: Transcript, { interruption }: TurnOptions): TurnState {
  const final = event.type === "transcript-final";
  const { text, echoed } = event.over && mayBeEcho(state, event.nowMs)
    ? withoutEcho(event.text, event.over, interruption.stopWords)
    : { text: event.text, echoed: 0 };
  const taken = final
    ? endingAt(
      hearFinal(state.words, text, event.nowMs, voicedSinceFinal(state, event.nowMs), event.speaker),
      event,
    )
    : hearInterim(state.words, text, event.nowMs, event.speaker);
  const words = markGuessed(taken, state.words, event);
  const count = state.echo.count + (final && echoed >= SURELY_ECHO ? 1 : 0);
  return {
    ...state,
    hearing: true,
    words,
    recognizedEnd: text !== "" || state.recognizedEnd === "likely"
      ? event.end ?? "none"
      : state.recognizedEnd,
    echo: echoed > 0 ? { atMs: event.nowMs, count } : state.echo,
    asked: state.asked && hearAnswer(state.asked, event),
  };
}

/** The final that was asked for cannot have the words of a voice that is heard only now. */
const hearMore = ({ asked }: TurnState): Pick<TurnState, "asked"> => ({
  asked: asked && { ...asked, voice: "unrecognized" },
});

function hearAnswer(asked: AskedFinal, { type, text, asked: isAnswer }: Transcript): AskedFinal {
  if (!asked.answered) return isAnswer || type === "transcript-final" ? { ...asked, answered: true } : asked;
  return asked.voice === "unrecognized" && text !== "" ? { ...asked, voice: "recognized" } : asked;
}

const endingAt = ({ untilMs: _, ...words }: Words, { untilMs }: Pick<Transcript, "untilMs">): Words =>
  untilMs === undefined ? words : { ...words, untilMs };

/** Words stay a guess until there are some of which the recognizer is sure. */
function markGuessed(words: Words, before: Words, { text, confidence = 1 }: Transcript): Words {
  const { guessed: _, ...sure } = words;
  const none = textOf(before) === "";
  const guessed = text === "" ? before.guessed : confidence < GUESSED_BELOW && (none || before.guessed);
  return guessed && textOf(words) !== "" ? { ...sure, guessed: true } : sure;
}

/** Whether what is heard may be the agent's voice: while it speaks, and shortly after when the voice ended with it. */
function mayBeEcho({ agent, user, agentUntilMs }: TurnState, nowMs: number): boolean {
  if (agent.is === "speaking" || agent.is === "paused") return true;
  if (agentUntilMs === undefined || nowMs > agentUntilMs + ECHO_WORDS_MS) return false;
  if (user.is === "silent") return true;
  if (user.sinceMs >= agentUntilMs) return false;
  return (user.is === "speaking" ? nowMs : user.lastVoicedMs) <= agentUntilMs + ECHO_TAIL_MS;
}

/** Whether the voice was heard after the final transcript before: only then can the same words have been said again. */
function voicedSinceFinal({ user, words }: TurnState, nowMs: number): boolean {
  if (user.is === "silent") return false;
  const { finalAtMs = -Infinity } = words;
  return user.is === "speaking" ? nowMs - finalAtMs >= SAME_AGAIN_MS : user.lastVoicedMs > finalAtMs;
}

/** The average of the pauses in this user's turns, when the voice comes back at `atMs`. */
function measurePause({ user, agent, pauses, voicedUntilMs }: TurnState, atMs: number): TurnState["pauses"] {
  // A turn whose answer nobody has heard yet goes on: it was ended too early.
  const early = user.is === "silent" && (agent.is === "thinking" || agent.is === "held");
  const sinceMs = user.is === "pausing" || user.is === "stopped" ? user.lastVoicedMs : voicedUntilMs;
  if (sinceMs === undefined || user.is === "speaking" || (user.is === "silent" && !early)) return pauses;
  const pauseMs = atMs - sinceMs;
  if (pauseMs < SHORTEST_PAUSE_MS) return pauses;
  const count = pauses.count + 1;
  const share = Math.max(1 / count, NEW_PAUSE_SHARE);
  return { averageMs: pauses.averageMs + (pauseMs - pauses.averageMs) * share, count };
}

function hearVoice(user: UserVoice, mark: TurnEvent["type"], atMs: number): UserVoice {
  const sinceMs = user.is === "silent" ? atMs : user.sinceMs;
  switch (mark) {
    case "speech-start":
    case "speech-resume":
      // What was said before and is not committed yet belongs to the same turn; a new start counts its own duration.
      return { is: "speaking", sinceMs: mark === "speech-start" ? atMs : sinceMs };
    case "speech-pause":
      return user.is === "speaking" ? { is: "pausing", sinceMs, lastVoicedMs: atMs } : user;
    case "speech-end":
      return user.is === "silent" ? user : { is: "stopped", sinceMs, lastVoicedMs: atMs };
    default:
      return user;
  }
}

function followReply(
  agent: AgentVoice,
  { type, replyId }: Extract<TurnEvent, { readonly replyId: string }>,
): AgentVoice {
  if (agent.is === "silent" || agent.replyId !== replyId) return agent;
  if (type === "reply-ended") return { is: "silent" };
  return agent.is === "thinking" ? { is: "speaking", replyId, ...kept(agent) } : agent;
}

function changeReply(
  agent: AgentVoice,
  { type, replyId }: Extract<TurnEvent, { readonly type: "reply-kept" | "question-asked" | "question-over" }>,
): AgentVoice {
  if (agent.is !== "thinking" && agent.is !== "speaking" || agent.replyId !== replyId) return agent;
  if (type === "question-over") return withoutQuestion(agent);
  return type === "reply-kept" ? { ...agent, uninterruptible: true } : { ...agent, asks: true };
}

/** What is known of a reply and stays so. */
const kept = (
  { uninterruptible, asks, dismissedMs }: {
    readonly uninterruptible?: true;
    readonly asks?: true;
    readonly dismissedMs?: number;
  },
) => ({
  ...(uninterruptible && { uninterruptible }),
  ...(asks && { asks }),
  ...(dismissedMs !== undefined && { dismissedMs }),
});
