/** One conversation: performs what turn-taking decides, and keeps what was said. */
import type { Agent, SpeechHandle } from "./agent.ts";
import type { Clock } from "./clock.ts";
import type { StageError } from "./errors.ts";
import type { SessionEventBody, TurnOutcome } from "./events.ts";
import { createHistory, type History, messagesFrom } from "./history.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { type Reply, type ReplyResult, startReply } from "./reply.ts";
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

/** Something to say, waiting for its turn to be made into a reply. */
interface Job {
  readonly id: string;
  readonly words: (signal: AbortSignal) => ReadableStream<string>;
  /** The committed user turn that it answers; "none yet" while it is only prepared, and nobody is told of it. */
  answers?: CommittedTurn | "none yet";
  /** It stands in for a reply that failed: when it fails too, nothing stands in for it. */
  readonly recovery: boolean;
  readonly settle: (result: { text: string; interrupted: boolean }) => void;
}

interface CommittedTurn {
  readonly turnId: string;
  readonly endpointingMs: number;
  readonly sttMs?: number;
}

const unheard = { text: "", interrupted: true };

export class Conversation {
  readonly history: History;
  readonly #options: ConversationOptions;
  #state: TurnState = initialTurnState;
  #wake: Disposable | undefined;
  #inbox: TurnEvent[] = [];
  #deciding = false;
  #queue: Job[] = [];
  #current: Reply | undefined;
  #prepared: { readonly job: Job; readonly reply: Reply } | undefined;
  #speakerFree: Promise<unknown> = Promise.resolve();
  #replies = new Set<Promise<void>>();
  #segments = 0;
  #said = 0;
  #shown: AgentState = "initializing";

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.history = createHistory(options.clock);
    options.signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  get state(): AgentState {
    return this.#shown;
  }

  /** Settles when every reply has ended; after the signal aborted, soon. */
  async idle(): Promise<void> {
    while (this.#replies.size > 0) await Promise.all(this.#replies);
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
    this.#dropQueue();
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
      case "prepare-answer": {
        this.#dropPrepared();
        const job = this.#answer(action.turnId, action.text);
        this.#prepared = { job, reply: this.#begin(job, { held: true }) };
        return;
      }
      case "drop-answer":
        return this.#dropPrepared();
      case "pause-reply":
        return this.#current?.pause();
      case "resume-reply":
        return this.#current?.resume();
      case "report-false-interruption":
        return this.#options.emit({ type: "false-interruption", replyId: action.replyId });
      case "interrupt-reply":
        this.#dropQueue();
        this.#current?.abort();
        this.#current = undefined;
        return;
      case "ask-again":
        this.#apologize();
    }
  }

  #commit(action: Extract<TurnAction, { type: "commit-turn" }>): void {
    const { emit, clock } = this.#options;
    const { turnId, text, declined, prepared, lastVoicedMs, finalAtMs } = action;
    if (!prepared) this.#dropPrepared();
    const ready = this.#prepared;
    this.#prepared = undefined;
    const answer = ready?.job ?? this.#answer(turnId, text);
    this.history.add({ role: "user", text, interrupted: false });
    emit({ type: "user-speech-committed", turnId, text });
    if (declined) return emit({ type: "turn-ended", turnId, outcome: "declined" });
    const sttMs = finalAtMs === undefined ? {} : { sttMs: finalAtMs - lastVoicedMs };
    answer.answers = { turnId, endpointingMs: clock.now() - lastVoicedMs, ...sttMs };
    this.#current = ready?.reply ?? this.#begin(answer);
    this.#current.resume();
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

  #dropPrepared(): void {
    this.#prepared?.reply.abort();
    this.#prepared = undefined;
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
      this.#queue.push({ id, words: () => ReadableStream.from([text]), recovery, settle });
      if (!this.#deciding) this.#startNext();
    }
    return { replyId: id, done };
  }

  #dropQueue(): void {
    for (const job of this.#queue.splice(0)) job.settle(unheard);
  }

  /** Begins what waits to be said, once nothing else is being said. */
  #startNext(): void {
    if (this.#current || this.#state.agent.is !== "silent") return;
    const job = this.#queue.shift();
    if (!job) return;
    this.#current = this.#begin(job);
    this.note({ type: "reply-begun", replyId: job.id });
  }

  /** Makes a reply of `job`; what comes of it is told once it is no longer "none yet". */
  #begin(job: Job, { held = false } = {}): Reply {
    const { clock, tts, room, signal, emit } = this.#options;
    const { id } = job;
    let startedMs: number | undefined;
    let segment: ReturnType<Room["transcripts"]["agent"]> | undefined;
    const reply = startReply({
      id,
      words: job.words,
      tts,
      speaker: room.speaker,
      speakerFree: this.#speakerFree,
      clock,
      signal,
      held,
      onStart: (latency) => {
        startedMs = clock.now();
        const { endpointingMs, sttMs } = committed(job) ?? {};
        const user = {
          ...(endpointingMs !== undefined && { endpointingMs }),
          ...(sttMs !== undefined && { sttMs }),
        };
        const totalMs = latency.totalMs + (endpointingMs ?? 0);
        emit({ type: "agent-started-speaking", replyId: id, latency: { ...user, ...latency, totalMs } });
        this.note({ type: "reply-started", replyId: id });
      },
      onText: (text) => {
        segment ??= room.transcripts.agent(id);
        segment.write(text);
      },
    });
    this.#speakerFree = reply.done;
    const ended = reply.done.then((result) => {
      segment?.close();
      if (this.#prepared?.job === job) this.#prepared = undefined; // it failed too early to be told of
      if (job.answers !== "none yet") this.#finish(job, result, startedMs);
      this.#replies.delete(ended);
    });
    this.#replies.add(ended);
    return reply;
  }

  #finish(job: Job, { text, interrupted, error }: ReplyResult, startedMs: number | undefined): void {
    const { emit, onError, signal } = this.#options;
    const wasHeard = text !== "";
    if (wasHeard) {
      this.history.add({
        role: "assistant",
        text,
        interrupted,
        ...(startedMs !== undefined && { atMs: startedMs }),
      });
      emit({ type: "agent-stopped-speaking", replyId: job.id });
      emit({ type: "agent-speech-committed", replyId: job.id, text, interrupted });
    }
    const turn = committed(job);
    if (turn) {
      const cut: TurnOutcome = wasHeard ? "interrupted" : "superseded";
      const outcome = error ? "failed" : interrupted ? cut : "answered";
      emit({ type: "turn-ended", turnId: turn.turnId, outcome });
    }
    if (error) {
      onError(error);
      if (!job.recovery && !signal.aborted) this.#apologize();
    }
    job.settle({ text, interrupted });
    if (this.#current?.id === job.id) this.#current = undefined;
    this.note({ type: "reply-ended", replyId: job.id });
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
    this.#dropQueue();
  }
}

const committed = ({ answers }: Job): CommittedTurn | undefined =>
  answers === "none yet" ? undefined : answers;

const userSpeaks = ({ user }: TurnState): boolean => user.is === "speaking" || user.is === "pausing";

function textOnly(): TransformStream<{ type: string; text?: string }, string> {
  return new TransformStream({
    transform(event, controller) {
      if (event.type === "text" && event.text) controller.enqueue(event.text);
    },
  });
}
