/** One call: joins the room, wires its streams, runs the agent's own code, and ends all of it. */
import { type Call, createCall } from "./call.ts";
import type { Conversation } from "./conversation.ts";
import { asStageError, type Stage } from "./errors.ts";
import type { CloseReason, SessionEvent } from "./events.ts";
import { makeFirst } from "./greeting.ts";
import type { HistoryUpdate } from "./history/update.ts";
import type { OwnCode } from "./own_code.ts";
import { type Departure, departureOf } from "./resume/departure.ts";
import type { Room } from "./room/room.ts";
import { askClient } from "./room/rpc.ts";
import { createSessionParts, type SessionOptions, type SessionParts } from "./session_parts.ts";
import { owned } from "./stray.ts";
import type { Task } from "./task.ts";
import type { Expectation } from "./turn/expectation.ts";
import type { LookOptions } from "./vision/sight.ts";
import type { GenerateReplyOptions, RpcOptions, SayOptions, VoiceSession } from "./voice_session.ts";

/** What a session started must have ended this long after it was told to. */
const closeMs = 4_000;
/** An entry that has neither failed nor begun to wait for somebody by then counts as set up. */
const setUpMs = 100;

export type { Providers } from "./providers.ts";
export type { SessionOptions } from "./session_parts.ts";

export interface RunningSession {
  readonly session: VoiceSession;
  /** Settles when the agent is in the room and set up; rejects with what went wrong. */
  readonly joined: Promise<void>;
  /** Says a last line, if there is somebody to hear it, and ends the session with reason "shutdown". */
  readonly dismiss: () => Promise<void>;
  /** Undefined while there is nothing that another process could go on with. */
  readonly departure: () => Departure | undefined;
}

/** Starts a call. Whatever goes wrong in it ends it, or is survived by it; nothing is thrown from here. */
export function startSession(options: SessionOptions): RunningSession {
  const session = new Session(options);
  return {
    session,
    joined: session.joined,
    dismiss: () => session.dismiss(),
    departure: () => session.departure,
  };
}

class Session implements VoiceSession {
  readonly id: string;
  readonly joined: Promise<void>;
  readonly done: Promise<CloseReason>;
  readonly #options: SessionOptions;
  readonly #parts: SessionParts;
  readonly #abort = new AbortController();
  readonly #ended = Promise.withResolvers<CloseReason>();
  readonly #children = new Set<Promise<unknown>>();
  #userdata: unknown;
  #room: Room | undefined;
  #call: Call | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.done = this.#ended.promise;
    this.#options = options;
    this.#parts = createSessionParts(options, {
      session: this,
      signal: this.#abort.signal,
      call: () => this.#call,
      onTaken: (about) => this.#takenOver(about),
    });
    this.joined = owned(this, () => this.#run());
    this.joined.catch((error) => {
      if (this.#closing) return; // it was ended on its way
      this.#parts.report(asStageError("agent", error));
      return this.close("error");
    });
  }

  get state() {
    if (this.#abort.signal.aborted) return "closed";
    return this.#call?.conversation?.state ?? "initializing";
  }

  get participant() {
    return this.#room?.participant;
  }

  get history() {
    return this.#call?.conversation?.history.items ?? [];
  }

  updateHistory(update: HistoryUpdate) {
    this.#inRoom("updateHistory").updateHistory(update);
    this.#parts.keeper?.changed();
  }

  get userdata() {
    return this.#userdata;
  }

  say(text: string | ReadableStream<string>, options?: SayOptions) {
    return owned(this, () => this.#inRoom("say").speech.say(text, options));
  }

  generateReply(options?: GenerateReplyOptions) {
    return owned(this, () => this.#inRoom("generateReply").speech.generateReply(options));
  }

  run<Result>(task: Task<Result>): Promise<Result> {
    if (!this.#call) return Promise.reject(notThere("run"));
    return owned(this, () => this.#parts.succession.run(task));
  }

  interrupt() {
    owned(this, () => this.#call?.conversation?.interrupt());
  }

  #inRoom(method: string): Conversation {
    if (this.#call) return this.#call.conversation;
    throw notThere(method);
  }

  expect(expected: Expectation | undefined) {
    this.#inRoom("expect").expect(expected);
  }

  startUserTurn() {
    this.#call?.conversation?.note({ type: "turn-start" });
  }

  commitUserTurn() {
    this.#call?.conversation?.note({ type: "turn-commit" });
  }

  clearUserTurn() {
    this.#call?.conversation?.note({ type: "turn-cancel" });
  }

  async performRpc(method: string, payload: string, { timeoutMs, signal: own }: RpcOptions = {}) {
    const ended = this.#abort.signal;
    const signal = own ? AbortSignal.any([own, ended]) : ended;
    return await askClient(this.#room, method, payload, { signal, timeoutMs });
  }

  async look(options?: LookOptions) {
    return await this.#call?.sight.look(options);
  }

  events(): ReadableStream<SessionEvent> {
    return this.#parts.broadcast.events();
  }

  /** An error that nobody caught: this call ends, the others go on. */
  fail(error: unknown): void {
    if (this.#abort.signal.aborted && error === this.#abort.signal.reason) return;
    this.#parts.report(asStageError("session", error));
    void this.close("error");
  }

  close(reason: CloseReason = "closed"): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  /** See RunningSession. */
  async dismiss(): Promise<void> {
    if (!this.#closing) await this.#call?.sayLast("shutdown");
    await this.close("shutdown");
  }

  /** See RunningSession. */
  get departure() {
    return departureOf(this.#call, { userdata: this.#userdata, ...this.#parts });
  }

  async #run(): Promise<void> {
    const { agent, join } = this.#options;
    const { signal } = this.#abort;
    const { charge } = this.#parts;
    const { snapshot: before, silentlySinceMs } = this.#options.resume ?? {};
    const made = makeFirst(charge.current, { ...this.#options, signal });
    const room = await join({ signal });
    this.#room = room;
    if (signal.aborted) {
      await room[Symbol.asyncDispose]();
      throw signal.reason;
    }
    const { written } = this.#parts.keeper ?? {};
    this.#userdata = before ? before.userdata : agent.userdata?.();
    this.#call = createCall({
      ...this.#options,
      before,
      silentlySinceMs,
      made,
      resumed: before && (() => this.#parts.own.resume(charge.current.agent, { room })),
      written,
      room,
      charge,
      succession: this.#parts.succession,
      spent: this.#parts.spending.over,
      session: this,
      signal,
      emit: this.#parts.broadcast.emit,
      onError: (error) => this.#parts.report(error),
      keep: (stage, work) => this.#keep(stage, work),
      hangUp: (reason) => void this.close(reason),
    });
    if (before) {
      const after = silentlySinceMs === undefined ? "fault" : "handover";
      this.#parts.broadcast.emit({ type: "resumed", after });
    }
    this.#call.begin();
    if (made && !before) this.#call.conversation.speech.sayText(made.text, { made });
    this.#parts.keeper?.changed();
    if (!before) await this.#setUp(room);
  }

  /** Runs the first agent's own code; settles when it is set up, rejects when that fails. */
  async #setUp(room: Room): Promise<void> {
    const waits = Promise.withResolvers<void>();
    const entry = this.#enter({ room, onWait: waits.resolve });
    const timeout = Promise.withResolvers<void>();
    using _ = this.#options.clock.after(setUpMs, timeout.resolve);
    await Promise.race([entry, waits.promise, timeout.promise]);
  }

  /** Another has the conversation. */
  #takenOver({ from, isBack }: { readonly from?: string; readonly isBack?: true }): void {
    const call = this.#call;
    if (!call) return;
    call.listenWith(this.#parts.charge.current.providers);
    // After a task it is for the code that ran it to go on. What fails in an entry ends the session.
    void call.conversation.tookOver(() =>
      isBack ? new Promise(() => {}) : Promise.allSettled([this.#enter({ room: call.room, from })])
    );
  }

  /** Runs the own code of the agent in charge. */
  #enter(about: Parameters<OwnCode["enter"]>[1]): Promise<void> {
    const entry = this.#parts.own.enter(this.#parts.charge.current.agent, about);
    this.#keep("agent", entry);
    return entry;
  }

  /** Makes `work` part of the session: a failure of it ends the session, and the session's end waits for it. */
  #keep(stage: Stage, work: Promise<unknown>): void {
    const child = work.catch((error) => {
      if (this.#closing) return; // it ends because the session does
      this.#parts.report(asStageError(stage, error));
      void this.close("error");
    }).finally(() => this.#children.delete(child));
    this.#children.add(child);
  }

  async #close(reason: CloseReason): Promise<void> {
    const { clock } = this.#options;
    const gone = this.#room?.closed.aborted === true || reason === "claim-lost" || reason === "handed-over";
    await this.#call?.conversation.hearOut({ gone, ended: this.#call.heard });
    await this.#parts.own.sayFarewell(reason);
    this.#abort.abort(new DOMException(`the session has ended: ${reason}`, "AbortError"));
    const ending = [this.#call?.conversation?.idle(), this.#parts.keeper?.close(), this.#leave(reason)];
    const children = [...this.#children, ...ending];
    const timeout = Promise.withResolvers<"late">();
    using _ = clock.after(closeMs, () => timeout.resolve("late"));
    const late = await Promise.race([Promise.allSettled(children), timeout.promise]);
    if (late === "late") {
      this.#options.log.warn({ closeMs }, "the session was closed before all it started had ended");
    }
    this.#call?.conversation?.settle();
    this.#call?.tellDropped();
    this.#parts.broadcast.emit({ type: "closed", reason });
    this.#parts.broadcast.close();
    // Not awaited: a handler may wait for close().
    this.#parts.handling.whenIdle(closeMs, () => this.#ended.resolve(reason));
  }

  /** Leaves the room, which shows why. */
  async #leave(reason: CloseReason): Promise<void> {
    const shown = reason === "handed-over" ? undefined : this.#room?.showEnd?.(reason); // it is not the end
    await Promise.all([shown, this.#options.onLeave?.(reason)]);
    await this.#room?.[Symbol.asyncDispose]();
  }
}

const notThere = (method: string): Error =>
  new Error(`${method}(): the agent is not in the room yet; wait for \`entry\` to be called`);
