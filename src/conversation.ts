/** One conversation: performs what turn-taking decides, and keeps what was said. */
import type { Agent, SpeechHandle } from "./agent.ts";
import type { Clock } from "./clock.ts";
import type { StageError } from "./errors.ts";
import type { ReplyLatency, SessionEventBody, TurnOutcome } from "./events.ts";
import { createHistory, type History, messagesFrom } from "./history.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { type CommittedTurn, type Job, Replies, unheard } from "./replies.ts";
import type { ReplyResult } from "./reply.ts";
import type { AgentState, Room } from "./room/room.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import {
  initialTurnState,
  type TurnAction,
  type TurnEvent,
  type TurnOptions,
  type TurnState,
} from "./turn/state.ts";
import { turn } from "./turn/turn.ts";

const defaultApology = "Sorry, something went wrong on my side. Could you say that again?";

export interface ConversationOptions {
  readonly agent: Agent;
  readonly room: Room;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
  readonly turnTaking: TurnOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /** Told of failures that the conversation survives. */
  readonly onError: (error: StageError) => void;
}

type Unstamped<T> = T extends unknown ? Omit<T, "nowMs"> : never;

export class Conversation {
  readonly history: History;
  readonly #options: ConversationOptions;
  #state: TurnState = initialTurnState;
  #wake: Disposable | undefined;
  #inbox: TurnEvent[] = [];
  #deciding = false;
  readonly #replies: Replies;
  #segments = 0;
  #said = 0;
  #shown: AgentState = "initializing";

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.history = createHistory(options.clock);
    this.#replies = new Replies({
      ...options,
      onStart: (job, latency) => this.#started(job, latency),
      onEnd: (job, result, startedMs) => this.#ended(job, result, startedMs),
    });
    options.signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  get state(): AgentState {
    return this.#shown;
  }

  /** Settles when every reply has ended; after the signal aborted, soon. */
  idle(): Promise<void> {
    return this.#replies.idle();
  }

  /** Begins to listen: from now on the user can be heard. */
  open(): void {
    this.#show();
  }

  /** Takes in something that happened, and performs what it leads to. */
  note(event: Unstamped<TurnEvent>): void {
    if (this.#options.signal.aborted) return;
    if (event.type === "transcript-interim") this.#showWords(event.text, false);
    if (event.type === "transcript-final") this.#showWords(event.text, true);
    this.#inbox.push({ ...event, nowMs: this.#options.clock.now() } as TurnEvent);
    if (this.#deciding) return;
    this.#deciding = true;
    try {
      for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) this.#decide(next);
    } finally {
      this.#deciding = false;
    }
    this.#startNext();
    this.#show();
  }

  say(text: string): SpeechHandle {
    return this.#enqueue(`say-${++this.#said}`, text, false);
  }

  interrupt(): void {
    this.#replies.dropWaiting();
    this.note({ type: "interrupt" });
  }

  /** Shows the room and the session's listeners what the recognizer hears. */
  #showWords(text: string, final: boolean): void {
    if (text === "") return;
    this.#options.emit({ type: "user-transcript", text, final });
    this.#options.room.transcripts.user({ id: `user-${this.#segments}`, text, final });
    if (final) this.#segments++;
  }

  #decide(event: TurnEvent): void {
    const { state, actions, wakeAtMs } = turn(this.#state, event, this.#options.turnTaking);
    const [wasSpeaking, isSpeaking] = [userSpeaks(this.#state), userSpeaks(state)];
    this.#state = state;
    if (isSpeaking && !wasSpeaking) this.#options.emit({ type: "user-started-speaking" });
    if (wasSpeaking && !isSpeaking) this.#options.emit({ type: "user-stopped-speaking" });
    this.#wake?.[Symbol.dispose]();
    this.#wake = wakeAtMs === undefined
      ? undefined
      : this.#options.clock.after(wakeAtMs - event.nowMs, () => this.note({ type: "wake" }));
    for (const action of actions) this.#perform(action);
  }

  #perform(action: TurnAction): void {
    switch (action.type) {
      case "commit-turn":
        return this.#commit(action);
      case "prepare-answer":
        return this.#replies.prepare(this.#answer(action.turnId, action.text));
      case "drop-answer":
        return this.#replies.dropPrepared();
      case "pause-reply":
        return this.#replies.pause();
      case "resume-reply":
        return this.#replies.resume();
      case "interrupt-reply":
        return this.#replies.interrupt();
      case "report-false-interruption":
        return this.#options.emit({ type: "false-interruption", replyId: action.replyId });
      case "ask-again":
        return this.#apologize();
    }
  }

  #commit(action: Extract<TurnAction, { type: "commit-turn" }>): void {
    const { emit, clock } = this.#options;
    const { turnId, text, declined, prepared, lastVoicedMs, finalAtMs } = action;
    if (!prepared) this.#replies.dropPrepared();
    const answer = this.#replies.prepared ?? this.#answer(turnId, text);
    this.history.add({ role: "user", text, interrupted: false });
    emit({ type: "user-speech-committed", turnId, text });
    if (declined) return emit({ type: "turn-ended", turnId, outcome: "declined" });
    const sttMs = finalAtMs === undefined ? {} : { sttMs: finalAtMs - lastVoicedMs };
    answer.answers = { turnId, waited: { endpointingMs: clock.now() - lastVoicedMs, ...sttMs } };
    this.#replies.start(answer);
  }

  /** The answer to what was said so far and then `text`. */
  #answer(turnId: string, text: string): Job {
    const { agent, llm } = this.#options;
    const messages = messagesFrom(agent.instructions, [...this.history.items, { role: "user", text }]);
    return {
      id: turnId,
      words: (signal) => llm.generate({ messages }, { signal }).pipeThrough(textOnly()),
      answers: "none yet",
      recovery: false,
      settle: () => {},
    };
  }

  #apologize(): void {
    this.#enqueue(`apology-${++this.#said}`, this.#options.agent.apology ?? defaultApology, true);
  }

  #enqueue(id: string, text: string, recovery: boolean): SpeechHandle {
    const { promise: done, resolve: settle } = Promise.withResolvers<
      { text: string; interrupted: boolean }
    >();
    if (this.#options.signal.aborted) settle(unheard);
    else {
      this.#replies.wait({ id, words: () => ReadableStream.from([text]), recovery, settle });
      if (!this.#deciding) this.#startNext();
    }
    return { replyId: id, done };
  }

  /** Begins what waits to be said, once nothing else is being said. */
  #startNext(): void {
    if (this.#replies.busy || this.#state.agent.is !== "silent") return;
    const job = this.#replies.next();
    if (!job) return;
    this.#replies.start(job);
    this.note({ type: "reply-begun", replyId: job.id });
  }

  #started({ id, answers }: Job, latency: ReplyLatency): void {
    const turn = turnOf(answers);
    const whole = turn
      ? { ...turn.waited, ...latency, totalMs: turn.waited.endpointingMs + latency.totalMs }
      : latency;
    this.#options.emit({ type: "agent-started-speaking", replyId: id, latency: whole });
    this.note({ type: "reply-started", replyId: id });
  }

  #ended({ id, answers, recovery, settle }: Job, result: ReplyResult, startedMs: number | undefined): void {
    const { emit, onError, signal } = this.#options;
    const { text, interrupted, error } = result;
    if (text !== "") {
      const began = startedMs === undefined ? {} : { atMs: startedMs };
      this.history.add({ role: "assistant", text, interrupted, ...began });
      emit({ type: "agent-stopped-speaking", replyId: id });
      emit({ type: "agent-speech-committed", replyId: id, text, interrupted });
    }
    const turn = turnOf(answers);
    if (turn) emit({ type: "turn-ended", turnId: turn.turnId, outcome: outcomeOf(result) });
    if (error) {
      onError(error);
      if (!recovery && !signal.aborted) this.#apologize();
    }
    settle({ text, interrupted });
    this.note({ type: "reply-ended", replyId: id });
  }

  /** Shows clients what the agent is doing. */
  #show(): void {
    const { agent } = this.#state;
    const state = agent.is === "thinking" || agent.is === "speaking" ? agent.is : "listening";
    if (state === this.#shown) return;
    this.#shown = state;
    this.#options.room.setState(state);
    this.#options.emit({ type: "state-changed", state });
  }

  #end(): void {
    this.#wake?.[Symbol.dispose]();
    this.#replies.dropWaiting();
  }
}

const turnOf = (answers: Job["answers"]): CommittedTurn | undefined =>
  answers === "none yet" ? undefined : answers;

function outcomeOf({ text, interrupted, error }: ReplyResult): TurnOutcome {
  if (error) return "failed";
  if (!interrupted) return "answered";
  return text === "" ? "superseded" : "interrupted";
}

const userSpeaks = ({ user }: TurnState): boolean => user.is === "speaking" || user.is === "pausing";

function textOnly(): TransformStream<{ type: string; text?: string }, string> {
  return new TransformStream({
    transform(event, controller) {
      if (event.type === "text" && event.text) controller.enqueue(event.text);
    },
  });
}
