/** One conversation: performs what turn-taking decides, and keeps what was said. */
import { within } from "./abort.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import type { VoiceSession } from "./agent.ts";
import { type Answers, createAnswers } from "./answers.ts";
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { StageError } from "./errors.ts";
import type { SessionEventBody } from "./events.ts";
import { createExpectations, type Expectations } from "./expectations.ts";
import { createGuard, type Guard } from "./guard.ts";
import { createHistory, type History } from "./history.ts";
import { createPrompts, type Prompts } from "./history/prompts.ts";
import type { HistoryUpdate } from "./history/update.ts";
import { createLastWords, type LastWords } from "./last_words.ts";
import { createLateResults, type LateResults } from "./late.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { unheard } from "./line.ts";
import { createPassedOn, type PassedOn } from "./passed_on.ts";
import { type Job, Replies } from "./replies.ts";
import type { AgentState, Room } from "./room/room.ts";
import { createSpeculationMeter, type SpeculationMeter } from "./speculation.ts";
import { Speech } from "./speech.ts";
import { createSpokenLog, type SpokenLog } from "./spoken.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import type { Succession } from "./succession.ts";
import { turnEndsMs } from "./turn/endpointing.ts";
import type { Expectation } from "./turn/expectation.ts";
import { isUninterruptible, listensByItself } from "./turn/policy.ts";
import type { TurnAction, TurnEvent } from "./turn/state.ts";
import { createTurnAnswers, type TurnAnswers } from "./turn_answer.ts";
import {
  createTurnTaker,
  hasWords,
  type TurnTaker,
  type UnstampedTurnEvent,
  userSpeaks,
} from "./turn_taker.ts";
import { userWords } from "./user_words.ts";
import { videoDefaults } from "./vision/options.ts";
import type { Sight } from "./vision/sight.ts";

/** Where the words of a reply lie in its audio is known to this, in milliseconds. */
const aheadMs = 500;
/** A voice without words keeps what waits to be said from being said for this long. */
const wordlessMs = 2_000;
/** Who takes over, and has said nothing of their own by then, answers the conversation as it is. */
const takeOverMs = 3_000;

export interface ConversationOptions {
  /** Who talks with the user. */
  readonly charge: Pick<Charge, "current">;
  /** The session that it is the conversation of. */
  readonly session: VoiceSession;
  readonly room: Room;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /** In place of `createMcpServers()`. */
  readonly mcpServers?: OpenMcpServers | undefined;
  /** See Succession. */
  readonly successor: Succession["successor"];
  /** What was seen of the user since their last turn. */
  readonly sight: Pick<Sight, "seen" | "turnEnded">;
  /** Told of failures that the conversation survives. */
  readonly onError: (error: StageError) => void;
  /** Told how things stand whenever anything has happened: see PresenceEvent. */
  readonly onPresence: (event: { readonly quiet: boolean; readonly returned: boolean }) => void;
  /** Asks the recognizer for the final words of what it has heard by now. */
  readonly askFinal: () => void;
}

type CommitTurn = Extract<TurnAction, { readonly type: "commit-turn" }>;

export class Conversation {
  readonly history: History;
  readonly #options: ConversationOptions;
  readonly #replies: Replies;
  readonly #answers: Answers;
  readonly #prompts: Prompts;
  readonly #speech: Speech;
  readonly #ledger: Ledger;
  readonly #accounts: Accounts;
  readonly #spoken: SpokenLog;
  readonly #speculation: SpeculationMeter;
  readonly #turns: TurnTaker;
  readonly #late: LateResults;
  readonly #lastWords: LastWords;
  readonly #expectations: Expectations;
  readonly #guard: Guard;
  readonly #passedOn: PassedOn;
  readonly #turnAnswers: TurnAnswers;
  readonly #showWords: ReturnType<typeof userWords>;
  #shown: AgentState = "initializing";

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#showWords = userWords(options);
    const imagesKept = () => options.charge.current.agent.video?.keep ?? videoDefaults.keep;
    this.history = createHistory(options.clock, options.session.id, imagesKept);
    this.#prompts = createPrompts({ ...options, history: this.history });
    this.#lastWords = createLastWords({ clock: options.clock, ask: options.askFinal });
    this.#expectations = createExpectations((event) => this.note(event));
    this.#ledger = createLedger(options.emit);
    this.#passedOn = createPassedOn(this.#ledger);
    this.#spoken = createSpokenLog(options.clock);
    this.#speculation = createSpeculationMeter(options.emit);
    this.#turns = createTurnTaker({
      ...options,
      perform: (action, event) => this.#perform(action, event),
      onDecided: (event) => options.onPresence({ quiet: this.#isQuiet(), returned: hasWords(event) }),
      onSettled: () => this.#goOn(),
    });
    this.#replies = new Replies({
      ...options,
      onStart: (job, latency) => {
        this.#accounts.started(job, latency);
        this.note({ type: "reply-started", replyId: job.id });
      },
      onEnd: (job, result, startedMs) => {
        this.#accounts.ended(job, result, startedMs);
        if (result.text !== "") this.#expectations.said(result.text, options.charge.current.agent);
        this.note({ type: "reply-ended", replyId: job.id });
      },
      onGap: (job, gap) => this.#accounts.fellSilent(job, gap),
      onSaid: this.#spoken.said,
    });
    this.#answers = createAnswers({
      ...options,
      history: this.history,
      note: (event) => this.note(event),
      onBack: () => {
        this.#replies.dropPrepared(); // it does not know of it
        this.#late.goOn();
      },
      onLate: (result) => {
        if (options.signal.aborted) return;
        this.#replies.dropPrepared(); // it does not know of it
        this.#late.tell(result);
      },
    });
    this.#turnAnswers = createTurnAnswers({
      ...options,
      answers: this.#answers,
      prompts: this.#prompts,
      speculation: this.#speculation,
    });
    this.#speech = new Speech({
      ...options,
      prompts: this.#prompts,
      answers: this.#answers,
      history: this.history,
      replies: this.#replies,
      freeInMs: (job) => this.#freeInMs(job),
      goOn: () => this.#goOn(),
      onBegin: (job) => this.#begun(job),
      cut: () => this.note({ type: "interrupt" }),
    });
    this.#late = createLateResults({
      generateReply: (options) => this.#speech.generateReply(options),
      isSaid: (replyId) => this.#replies.current?.id === replyId,
    });
    const { history } = this;
    const apologize = () => this.#speech.apologize();
    const passOn = this.#passedOn.pass;
    this.#accounts = createAccounts({ ...options, history, ledger: this.#ledger, apologize, passOn });
    this.#guard = createGuard({
      clock: options.clock,
      owes: () => this.#turns.state.agent.is !== "silent" || this.#replies.busy || this.#ledger.owed > 0,
      progressMs: () => Math.max(this.#turns.agentSinceMs, this.#replies.progressMs ?? -Infinity),
      onStall: (waitedMs) => this.#recover(waitedMs),
    });
    options.signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  get state(): AgentState {
    return this.#shown;
  }

  /** Settles when every reply, every tool and every summary has ended; at most 2 s after the signal aborted. */
  async idle(): Promise<void> {
    await Promise.all([this.#replies.idle(), this.#answers.idle(), this.#prompts.idle()]);
  }

  /** See VoiceSession. */
  updateHistory(update: HistoryUpdate): void {
    this.history.update(update);
    this.#replies.dropPrepared(); // it was told otherwise
  }

  /** Settles when what is being said now has left the speaker, or was cut off. */
  said(): Promise<void> {
    return this.#replies.said();
  }

  /** See VoiceSession. */
  expect(expected: Expectation | undefined): void {
    this.#expectations.expect(expected);
  }

  /** Begins to listen: from now on the user can be heard. */
  open(): void {
    this.#show();
  }

  /** Begins to speak: there is somebody to hear it. */
  admit(): void {
    this.#speech.admit();
    this.#goOn();
  }

  /**
   * The call is about to end: the user's last words are taken in, though their turn may not be over. `gone`: nobody hears any
   * more what is being said. `ended` settles when no more is heard. Settles within a second.
   */
  async hearOut(
    { gone, ended }: { readonly gone: boolean; readonly ended: Promise<void> | undefined },
  ): Promise<void> {
    this.#speech.giveUpWaiting();
    if (gone) {
      this.#replies.dropPrepared();
      this.interrupt();
    }
    const cut = gone ? this.#replies.idle() : undefined;
    await this.#lastWords.wait(this.#turns.state, { ended, cut });
    this.#turns.end();
  }

  /** The ledger is closed: turns without an outcome, whose replies have not even ended, have failed. */
  settle(): void {
    this.#ledger.endAll("failed");
  }

  get speech(): Pick<Speech, "say" | "generateReply"> {
    return this.#speech;
  }

  /** Takes in something that happened, and performs what it leads to. */
  note(event: UnstampedTurnEvent): void {
    if (this.#options.signal.aborted) return;
    if (event.type === "transcript-interim") this.#showWords(event.text, false, event.speaker);
    if (event.type === "transcript-final") this.#showWords(event.text, true, event.speaker);
    const isTranscript = event.type === "transcript-interim" || event.type === "transcript-final";
    if (isTranscript && event.text !== "") {
      const said = this.#spoken.over(event.type === "transcript-final");
      const over = `${said} ${this.#replies.upcoming(aheadMs)}`.trim();
      this.#turns.note({ ...event, ...(over !== "" && { over }) });
    } else this.#turns.note(event);
    if (event.type === "transcript-final" || (isTranscript && event.asked)) this.#lastWords.heard();
  }

  /** Somebody else is in charge from now on; `enter` runs their own code, and never rejects. */
  async tookOver(enter: () => Promise<unknown>): Promise<void> {
    const { clock, signal } = this.#options;
    this.#replies.dropPrepared();
    this.note({ type: "wake" }); // they may take turns otherwise
    const { turns } = this.#turns.state;
    const { asked } = this.#speech;
    await within(takeOverMs, enter(), { clock, signal });
    const isHeard = this.#speech.asked > asked || this.#turns.state.turns > turns;
    if (!isHeard && !signal.aborted) this.#late.goOn();
  }

  /** Cuts off what is being said and all that waits. */
  interrupt(): void {
    this.#speech.drop();
    this.note({ type: "interrupt" });
  }

  /** A client asks for silence: what the user may not interrupt goes on. */
  interruptByUser(): void {
    if (isUninterruptible(this.#turns.state.agent)) return;
    this.#speech.drop(({ interruptible }) => interruptible);
    this.note({ type: "interrupt" });
  }

  #perform(action: TurnAction, event: TurnEvent): void {
    switch (action.type) {
      case "commit-turn":
        return this.#commit(action);
      case "prepare-answer":
        return this.#replies.prepare(this.#turnAnswers.make(action, { prepared: true }));
      case "drop-answer":
        return this.#replies.dropPrepared();
      case "ask-final":
        return this.#options.askFinal();
      case "pause-reply":
        return this.#replies.pause();
      case "resume-reply":
        return this.#replies.resume();
      case "interrupt-reply":
        // Who interrupts the agent does not want to hear what it would have said next either.
        if (event.type !== "interrupt") this.#speech.drop(({ interruptible }) => interruptible);
        return this.#replies.interrupt();
      case "report-false-interruption":
        return this.#options.emit({ type: "false-interruption", replyId: action.replyId });
      case "ask-again":
        return this.#speech.apologize();
    }
  }

  #commit(action: CommitTurn): void {
    const { clock } = this.#options;
    const { turnId, declined, agreed, prepared, lastVoicedMs, finalAtMs } = action;
    if (!prepared) this.#replies.dropPrepared();
    this.#speculation.commit(turnId, this.#replies.prepared !== undefined);
    if (declined || agreed !== undefined) return this.#hear(action);
    this.#late.takeBack();
    this.#passedOn.end("superseded");
    const answer = this.#replies.prepared ?? this.#turnAnswers.make(action);
    const nowMs = clock.now();
    this.#hear(action);
    answer.commit?.(); // what was done for it follows what the user said
    const sttMs = finalAtMs === undefined ? {} : { sttMs: finalAtMs - lastVoicedMs };
    answer.answers = {
      turnId,
      waited: { endpointingMs: nowMs - lastVoicedMs, ...sttMs },
      committedMs: nowMs,
    };
    this.#replies.start(answer);
  }

  #begun(job: Job): void {
    this.#passedOn.give(job);
    const { id: replyId, interruptible } = job;
    this.note({ type: "reply-begun", replyId, ...(interruptible ? {} : { uninterruptible: true }) });
  }

  /** Takes in what the user said; a turn that is not answered anew has its outcome now. */
  #hear({ turnId, text, said, declined, agreed, lastVoicedMs }: CommitTurn): void {
    const { emit, clock } = this.#options;
    for (const item of this.#turnAnswers.asSeen(said)) this.history.add({ ...item, interrupted: false });
    this.#options.sight.turnEnded();
    this.#ledger.open(turnId);
    const speaker = said[0]?.speaker;
    const whose = said.length > 1 ? { said } : speaker ? { speaker } : {};
    emit({ type: "user-speech-committed", turnId, text, ...whose, waitedMs: clock.now() - lastVoicedMs });
    if (declined) this.#ledger.end(turnId, "declined");
    if (agreed === undefined) return;
    this.#answers.answer(agreed);
    this.#ledger.end(turnId, "answered"); // by the reply that has asked, which goes on
  }

  /** Begins what is next to be said, guards what is under way, and shows it; not in the middle of a decision. */
  #goOn(): void {
    if (this.#turns.deciding) return;
    this.#speech.startNext();
    this.#guard.look();
    this.#show();
  }

  /** How long `job` waits before it may be said: Infinity until something happens. */
  #freeInMs(job: Job): number {
    const { clock, charge: { current: { turnTaking } } } = this.#options;
    const { agent, key, user } = this.#turns.state;
    if (this.#replies.busy || agent.is !== "silent") return Infinity;
    if (!job.interruptible) return 0;
    if (key.is !== "up" || turnEndsMs(this.#turns.state, turnTaking) !== undefined) return Infinity;
    const voiced = user.is === "speaking" && listensByItself(this.#turns.state, turnTaking);
    return voiced ? user.sinceMs + wordlessMs - clock.now() : 0;
  }

  /** Goes on without the reply that the conversation is stuck at. */
  #recover(waitedMs: number): void {
    const job = this.#replies.current;
    const error = new StageError("session", `the agent got no further for ${Math.round(waitedMs)} ms`);
    this.#replies.abandon();
    this.#passedOn.end("failed");
    this.#ledger.endAll("failed");
    this.#options.onError(error);
    this.#accounts.stalled(job, error, waitedMs);
    job?.settle({ ...unheard, error });
    if (!job?.recovery) this.#speech.apologize();
    this.note({ type: "interrupt" });
  }

  #isQuiet(): boolean {
    return !userSpeaks(this.#turns.state) && this.#turns.state.agent.is === "silent" && !this.#replies.busy &&
      !this.#speech.waits;
  }

  /** Shows clients what the agent is doing. */
  #show(): void {
    const { agent } = this.#turns.state;
    const state = agent.is === "thinking" || agent.is === "speaking" ? agent.is : "listening";
    if (state === this.#shown) return;
    this.#shown = state;
    this.#options.room.setState(state);
    this.#options.emit({ type: "state-changed", state });
  }

  #end(): void {
    this.#guard[Symbol.dispose]();
    this.#speech.drop();
    this.#turns.end();
    this.#passedOn.end("interrupted");
    this.#replies.dropPrepared();
  }
}
