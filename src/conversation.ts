/** One conversation: performs what turn-taking decides, and keeps what was said. */
import { within } from "./abort.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { type Answers, createAnswers } from "./answers.ts";
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { createCommitted } from "./committed.ts";
import type { StageError } from "./errors.ts";
import type { SessionEventBody } from "./events.ts";
import { createExpectations, type Expectations } from "./expectations.ts";
import type { Guard } from "./guard.ts";
import { createHeardWords } from "./heard_words.ts";
import { createHistory, type History } from "./history.ts";
import { createPrompts, type Prompts } from "./history/prompts.ts";
import type { HistoryUpdate } from "./history/update.ts";
import { createLastWords, type LastWords } from "./last_words.ts";
import { createLateResults, type LateResults } from "./late.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { createPassedOn, type PassedOn } from "./passed_on.ts";
import { createRecovery } from "./recovery.ts";
import { type Job, Replies } from "./replies.ts";
import type { AgentState, Room } from "./room/room.ts";
import { createSpeculationMeter } from "./speculation.ts";
import { createResumption, historyOf, type Resumption, summaryOf } from "./resume/conversation.ts";
import type { ConversationSnapshot } from "./resume/snapshot.ts";
import { Speech } from "./speech.ts";
import { createSpokenLog } from "./spoken.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import type { Succession } from "./succession.ts";
import type { Expectation } from "./turn/expectation.ts";
import { isUninterruptible } from "./turn/policy.ts";
import type { TurnAction, TurnEvent } from "./turn/state.ts";
import { waitToSayMs } from "./turn/wait_to_say.ts";
import { createTurnAnswers, type TurnAnswers } from "./turn_answer.ts";
import {
  createTurnTaker,
  hasWords,
  type TurnTaker,
  type UnstampedTurnEvent,
  userSpeaks,
} from "./turn_taker.ts";
import { videoDefaults } from "./vision/options.ts";
import type { Sight } from "./vision/sight.ts";
import type { VoiceSession } from "./voice_session.ts";

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
  /** See Succession. */
  readonly renew: Succession["renew"];
  /** What was seen of the user since their last turn. */
  readonly sight: Pick<Sight, "seen" | "turnEnded">;
  /** Told of failures that the conversation survives. */
  readonly onError: (error: StageError) => void;
  /** Told how things stand whenever anything has happened: see PresenceEvent. */
  readonly onPresence: (event: { readonly quiet: boolean; readonly returned: boolean }) => void;
  /** Asks the recognizer for the final words of what it has heard by now. */
  readonly askFinal: () => void;
  /** The conversation that it goes on from, of a process that is gone, and the milliseconds since it began. */
  readonly before?: ConversationSnapshot & { readonly elapsedMs: number } | undefined;
  /** See CallOptions of tools. */
  readonly written?: (() => Promise<void>) | undefined;
}

export class Conversation {
  readonly history: History;
  readonly resumption: Resumption;
  readonly #options: ConversationOptions;
  readonly #replies: Replies;
  readonly #answers: Answers;
  readonly #prompts: Prompts;
  readonly #speech: Speech;
  readonly #ledger: Ledger;
  readonly #accounts: Accounts;
  readonly #turns: TurnTaker;
  readonly #late: LateResults;
  readonly #lastWords: LastWords;
  readonly #expectations: Expectations;
  readonly #guard: Guard;
  readonly #passedOn: PassedOn;
  readonly #turnAnswers: TurnAnswers;
  readonly #heardWords: ReturnType<typeof createHeardWords>;
  readonly #commit: ReturnType<typeof createCommitted>;
  #shown: AgentState = "initializing";
  #keepsApology: Promise<unknown> | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const imagesKept = () => options.charge.current.agent.video?.keep ?? videoDefaults.keep;
    const { before } = options;
    const items = before ? historyOf(before) : [];
    const elapsedMs = before?.elapsedMs ?? 0;
    const history = this.history = createHistory(options.clock, options.session.id, imagesKept, {
      items,
      elapsedMs,
    });
    this.#prompts = createPrompts({
      ...options,
      history,
      summaryBefore: before && summaryOf(before, items),
    });
    this.#lastWords = createLastWords({ clock: options.clock, ask: options.askFinal });
    this.#expectations = createExpectations((event) => this.note(event));
    this.#ledger = createLedger(options.emit);
    this.#passedOn = createPassedOn(this.#ledger);
    const spoken = createSpokenLog(options.clock);
    const upcoming = (ms: number) => this.#replies.upcoming(ms);
    this.#heardWords = createHeardWords({ ...options, spoken, upcoming });
    this.#turns = createTurnTaker({
      ...options,
      turnsBefore: before?.turns,
      perform: (action, event) => this.#perform(action, event),
      onDecided: (event) => options.onPresence({ quiet: this.#isQuiet(), returned: hasWords(event) }),
      onSettled: () => this.#goOn(),
    });
    this.#replies = new Replies({
      ...options,
      onStart: (job, latency, playedMs) => {
        this.#accounts.started(job, latency, playedMs);
        this.note({ type: "reply-started", replyId: job.id });
      },
      onEnd: (job, result, startedMs) => {
        this.#accounts.ended(job, result, startedMs);
        if (result.text !== "") this.#expectations.said(result.text, options.charge.current.agent);
        if (result.text !== "") {
          this.#keepsApology = Promise.all([this.#keepsApology, this.#speech.keepApology()]);
        }
        this.note({ type: "reply-ended", replyId: job.id });
      },
      onGap: (job, gap) => this.#accounts.fellSilent(job, gap),
      onSaid: spoken.said,
      onSpare: ({ id: replyId }, by) => options.emit({ type: "voice-replaced", replyId, by }),
    });
    this.#answers = createAnswers({
      ...options,
      callsBefore: before?.calls,
      history,
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
    const parts = {
      ...options,
      history,
      speculation: createSpeculationMeter(options.emit),
      turns: this.#turns,
      ledger: this.#ledger,
      passedOn: this.#passedOn,
      prompts: this.#prompts,
      answers: this.#answers,
      replies: this.#replies,
    };
    this.#turnAnswers = createTurnAnswers({ ...parts, opening: () => this.#speech.opening() });
    this.#speech = new Speech({
      ...parts,
      saidBefore: before?.speeches,
      freeInMs: (job) => this.#freeInMs(job),
      goOn: () => this.#goOn(),
      onBegin: (job) => this.#begun(job),
      cut: () => this.note({ type: "interrupt" }),
    });
    this.#late = createLateResults({
      generateReply: (options) => this.#speech.generateReply(options),
      isSaid: (replyId) => this.#replies.current?.id === replyId,
    });
    const apologize = () => this.#speech.apologize();
    this.#accounts = createAccounts({ ...parts, apologize, passOn: this.#passedOn.pass });
    this.#commit = createCommitted({ ...parts, turnAnswers: this.#turnAnswers, late: this.#late });
    this.resumption = createResumption({ ...parts, before, speech: this.#speech });
    this.#guard = createRecovery({ ...parts, speech: this.#speech, accounts: this.#accounts });
    options.signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  get state(): AgentState {
    return this.#shown;
  }

  /** Settles when every reply, every tool and every summary has ended; at most 2 s after the signal aborted. */
  async idle(): Promise<void> {
    await Promise.all([this.#replies.idle(), this.#answers.idle(), this.#prompts.idle(), this.#keepsApology]);
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

  /** What the user is asked for that is dictated. */
  get expected(): Expectation | undefined {
    return this.#turns.state.expected;
  }

  /** See VoiceSession. */
  expect(expected: Expectation | undefined): void {
    this.#expectations.expect(expected);
  }

  /** Begins to listen: from now on the user can be heard. */
  open(): void {
    this.#show();
  }

  /** Makes what is said first: somebody is there, and is about to hear. */
  expectListener(): void {
    this.#speech.expect();
    this.#goOn();
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
    this.#turns.note(this.#heardWords(event));
    if (event.type === "transcript-final" || (event.type === "transcript-interim" && event.asked)) {
      this.#lastWords.heard();
    }
  }

  /** Somebody else is in charge from now on; `enter` runs their own code, and never rejects. */
  async tookOver(enter: () => Promise<unknown>): Promise<void> {
    const { clock, signal } = this.#options;
    this.#replies.dropPrepared();
    this.note({ type: "wake" }); // they may take turns otherwise
    const { turns } = this.#turns.state;
    const { asked } = this.#speech;
    using _ = this.#speech.takenOver();
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
        if (this.#options.renew()) this.#replies.dropPrepared(); // the version before has prepared it
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

  #begun(job: Job): void {
    this.#passedOn.give(job);
    const { id: replyId, interruptible } = job;
    this.note({ type: "reply-begun", replyId, ...(interruptible ? {} : { uninterruptible: true }) });
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
    if (this.#replies.busy) return Infinity;
    const { clock, charge } = this.#options;
    return waitToSayMs(this.#turns.state, job, charge.current.turnTaking, clock.now());
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
