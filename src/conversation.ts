/** One conversation: performs what turn-taking decides, and keeps what was said. */
import { within } from "./abort.ts";
import {
  type ConversationOptions,
  type ConversationParts,
  createConversationParts,
} from "./conversation_parts.ts";
import type { History } from "./history.ts";
import type { HistoryUpdate } from "./history/update.ts";
import { turnOf } from "./outcome.ts";
import type { Job, Replies } from "./replies.ts";
import type { SentenceEnd } from "./reply.ts";
import type { Resumption } from "./resume/conversation.ts";
import type { Standing } from "./resume/moment.ts";
import type { AgentState } from "./room/room.ts";
import type { Speech } from "./speech.ts";
import type { Expectation } from "./turn/expectation.ts";
import { isUninterruptible } from "./turn/policy.ts";
import type { TurnAction, TurnEvent } from "./turn/state.ts";
import { waitToSayMs } from "./turn/wait_to_say.ts";
import { type UnstampedTurnEvent, userSpeaks } from "./turn_taker.ts";

/** Who takes over, and has said nothing of their own by then, answers the conversation as it is. */
const takeOverMs = 3_000;

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #parts: ConversationParts;
  #shown: AgentState = "initializing";

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#parts = createConversationParts(options, {
      note: (event) => this.note(event),
      perform: (action, event) => this.#perform(action, event),
      goOn: () => this.#goOn(),
      begun: (job) => this.#begun(job),
      freeInMs: (job) => this.#freeInMs(job),
      isQuiet: () => this.#isQuiet(),
    });
    options.signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  get history(): History {
    return this.#parts.history;
  }

  get resumption(): Resumption {
    return this.#parts.resumption;
  }

  get state(): AgentState {
    return this.#shown;
  }

  /** Settles when every reply, every tool and every summary has ended; at most 2 s after the signal aborted. */
  idle(): Promise<void> {
    return this.#parts.idle();
  }

  /** See VoiceSession. */
  updateHistory(update: HistoryUpdate): void {
    this.history.update(update);
    this.#parts.replies.dropPrepared(); // it was told otherwise
  }

  /** Settles when what is being said now has left the speaker, or was cut off. */
  said(): Promise<void> {
    return this.#parts.replies.said();
  }

  /** What the user is asked for that is dictated. */
  get expected(): Expectation | undefined {
    return this.#parts.turns.state.expected;
  }

  /** See VoiceSession. */
  expect(expected: Expectation | undefined): void {
    this.#parts.expectations.expect(expected);
  }

  /** Begins to listen: from now on the user can be heard. */
  open(): void {
    this.#show();
  }

  /** Makes what is said first: somebody is there, and is about to hear. */
  expectListener(): void {
    this.#parts.speech.expect();
    this.#goOn();
  }

  /** Begins to speak: there is somebody to hear it. */
  admit(): void {
    this.#parts.speech.admit();
    this.#goOn();
  }

  /**
   * The call is about to end: the user's last words are taken in, though their turn may not be over. `gone`: nobody hears any
   * more what is being said. `ended` settles when no more is heard. Settles within a second.
   */
  async hearOut(
    { gone, ended }: { readonly gone: boolean; readonly ended: Promise<void> | undefined },
  ): Promise<void> {
    this.#parts.speech.giveUpWaiting();
    if (gone) {
      this.#parts.replies.dropPrepared();
      this.interrupt();
    }
    const cut = gone ? this.#parts.replies.idle() : undefined;
    await this.#parts.lastWords.wait(this.#parts.turns.state, { ended, cut });
    this.#parts.turns.end();
  }

  /** The ledger is closed: turns without an outcome, whose replies have not even ended, have failed. */
  settle(): void {
    this.#parts.ledger.endAll("failed");
  }

  get speech(): Pick<Speech, "say" | "generateReply" | "sayText"> {
    return this.#parts.speech;
  }

  /** Takes in something that happened, and performs what it leads to. */
  note(event: UnstampedTurnEvent): void {
    if (this.#options.signal.aborted) return;
    this.#parts.turns.note(this.#parts.heardWords(event));
    if (event.type === "transcript-final" || (event.type === "transcript-interim" && event.asked)) {
      this.#parts.lastWords.heard();
    }
  }

  /** Somebody else is in charge from now on; `enter` runs their own code, and never rejects. */
  async tookOver(enter: () => Promise<unknown>): Promise<void> {
    const { clock, signal } = this.#options;
    this.#parts.replies.dropPrepared();
    this.note({ type: "wake" }); // they may take turns otherwise
    const { turns } = this.#parts.turns.state;
    const { asked } = this.#parts.speech;
    using _ = this.#parts.speech.takenOver();
    await within(takeOverMs, enter(), { clock, signal });
    const isHeard = this.#parts.speech.asked > asked || this.#parts.turns.state.turns > turns;
    if (!isHeard && !signal.aborted) this.#parts.late.goOn();
  }

  /** How it stands. */
  get standing(): Omit<Standing, "heardMs"> {
    const { turns, replies, speech, ledger, answers } = this.#parts;
    return {
      turn: turns.state,
      replying: replies.busy,
      prepared: replies.prepared !== undefined,
      waiting: speech.waits,
      working: ledger.owed > 0 || answers.busy,
      written: this.#isWritten(),
      byVoice: this.#options.charge.current.turnTaking.hearsVoice === true,
      nowMs: this.#options.clock.now(),
    };
  }

  get sentences(): Pick<Replies, "sentence" | "untilMs"> {
    return this.#parts.replies;
  }

  /**
   * Takes in and says nothing from now on, until what this returns is called; what has come by then is taken in. `at`: the
   * sentence that has just ended.
   */
  hold(at?: SentenceEnd): () => void {
    const { turns, replies } = this.#parts;
    const goOn = turns.hold();
    if (at) replies.pauseBehind(at);
    return () => {
      if (at) replies.resume();
      goOn();
    };
  }

  /** Cuts off what is being said and all that waits. */
  interrupt(): void {
    this.#parts.speech.drop();
    this.note({ type: "interrupt" });
  }

  /** A client asks for silence: what the user may not interrupt goes on. */
  interruptByUser(): void {
    if (isUninterruptible(this.#parts.turns.state.agent)) return;
    this.#parts.speech.drop(({ interruptible }) => interruptible);
    this.note({ type: "interrupt" });
  }

  #perform(action: TurnAction, event: TurnEvent): void {
    switch (action.type) {
      case "commit-turn":
        if (this.#options.renew()) this.#parts.replies.dropPrepared(); // the version before has prepared it
        return this.#parts.commit(action);
      case "prepare-answer":
        return this.#parts.replies.prepare(this.#parts.turnAnswers.make(action, { prepared: true }));
      case "drop-answer":
        return this.#parts.replies.dropPrepared();
      case "ask-final":
        return this.#options.askFinal();
      case "pause-reply":
        return this.#parts.replies.pause();
      case "resume-reply":
        return this.#parts.replies.resume();
      case "interrupt-reply":
        // Who interrupts the agent does not want to hear what it would have said next either.
        if (event.type !== "interrupt") this.#parts.speech.drop(({ interruptible }) => interruptible);
        return this.#parts.replies.interrupt();
      case "report-false-interruption":
        return this.#options.emit({ type: "false-interruption", replyId: action.replyId });
      case "ask-again":
        return this.#parts.speech.apologize();
    }
  }

  #begun(job: Job): void {
    this.#parts.passedOn.give(job);
    const { id: replyId, interruptible } = job;
    this.note({ type: "reply-begun", replyId, ...(interruptible ? {} : { uninterruptible: true }) });
  }

  /** Begins what is next to be said, guards what is under way, and shows it; not in the middle of a decision. */
  #goOn(): void {
    if (this.#parts.turns.deciding) return;
    this.#parts.speech.startNext();
    this.#parts.guard.look();
    this.#show();
  }

  /** How long `job` waits before it may be said: Infinity until something happens. */
  #freeInMs(job: Job): number {
    if (this.#parts.replies.busy) return Infinity;
    const { clock, charge } = this.#options;
    return waitToSayMs(this.#parts.turns.state, job, charge.current.turnTaking, clock.now());
  }

  #isWritten(): boolean {
    const { replies: { current, progress, prepared }, ledger, answers, speech } = this.#parts;
    if (!current || !progress?.whole || current.recovery || prepared) return false;
    const owed = current.author === "llm" && turnOf(current) ? 1 : 0;
    return ledger.owed === owed && !answers.busy && speech.hasOnlyTexts;
  }

  #isQuiet(): boolean {
    return !userSpeaks(this.#parts.turns.state) && this.#parts.turns.state.agent.is === "silent" &&
      !this.#parts.replies.busy &&
      !this.#parts.speech.waits;
  }

  /** Shows clients what the agent is doing. */
  #show(): void {
    const { agent } = this.#parts.turns.state;
    const state = agent.is === "thinking" || agent.is === "speaking" ? agent.is : "listening";
    if (state === this.#shown) return;
    this.#shown = state;
    this.#options.room.setState(state);
    this.#options.emit({ type: "state-changed", state });
  }

  #end(): void {
    this.#parts.guard[Symbol.dispose]();
    this.#parts.speech.drop();
    this.#parts.turns.end();
    this.#parts.passedOn.end("interrupted");
    this.#parts.replies.dropPrepared();
  }
}
