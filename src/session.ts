/** One call: joins the room, wires its streams, runs the agent's own code, and ends all of it. */
import type { Agent } from "./agent.ts";
import { type Broadcast, createBroadcast } from "./broadcast.ts";
import { type Call, createCall } from "./call.ts";
import { type Charge, createCharge, type Equipped } from "./charge.ts";
import type { Clock } from "./clock.ts";
import type { Conversation } from "./conversation.ts";
import { createEquipment } from "./equipment.ts";
import { asStageError, type Stage, type StageError } from "./errors.ts";
import type { CloseReason, SessionEvent } from "./events.ts";
import { createHandling, type Handling } from "./handlers.ts";
import type { HistoryUpdate } from "./history/update.ts";
import type { Log } from "./log.ts";
import { createOwnCode, type OwnCode } from "./own_code.ts";
import { createKeeper, type Keeper } from "./resume/keeper.ts";
import type { SessionSnapshot } from "./resume/snapshot.ts";
import { createTaker } from "./resume/take.ts";
import type { Room } from "./room/room.ts";
import { askClient } from "./room/rpc.ts";
import { createSpending, type Spending, type SpendingOptions } from "./spending.ts";
import { owned } from "./stray.ts";
import { createSuccession, type Succession } from "./succession.ts";
import type { Task } from "./task.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import type { Expectation } from "./turn/expectation.ts";
import type { LookOptions } from "./vision/sight.ts";
import type { GenerateReplyOptions, RpcOptions, SayOptions, VoiceSession } from "./voice_session.ts";

/** What a session started must have ended this long after it was told to. */
const closeMs = 4_000;
/** An entry that has neither failed nor begun to wait for somebody by then counts as set up. */
const setUpMs = 100;

export type { Providers } from "./providers.ts";

/** The agent that begins, what it works with, and the call. */
export interface SessionOptions extends Equipped, Pick<SpendingOptions, "costCaps" | "priceOf"> {
  readonly id: string;
  /** What another agent works with that the conversation is handed over to (default: all that the first does). */
  readonly equip?: (agent: Agent) => Equipped;
  /** The version of an agent that there is now, from the next turn on (default: the one that there was). */
  readonly latest?: (agent: Agent) => Agent;
  /** Joins the room; `signal` aborts when the session ends before. */
  readonly join: (options: { readonly signal: AbortSignal }) => Promise<Room>;
  /** Told why the session ends before the room is left, which waits for it. */
  readonly onLeave?: ((reason: CloseReason) => Promise<void>) | undefined;
  /** What the dispatch carried. */
  readonly metadata: string;
  /** The identity to talk with; whoever comes first when it is left out. */
  readonly participant?: string | undefined;
  /** How long the call may last, in milliseconds; as long as it likes when left out. */
  readonly maxCallMs?: number | undefined;
  /** In place of `createMcpServers()`. */
  readonly mcpServers?: OpenMcpServers | undefined;
  /** Writes down how the session stands, after all that changes it (default: nobody does); one call at a time. */
  readonly keep?: ((snapshot: SessionSnapshot) => Promise<void>) | undefined;
  /** The session that it goes on from, with the same id, and who is in charge; `agent` is who began. */
  readonly resume?: { readonly snapshot: SessionSnapshot; readonly inCharge: Agent } | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RunningSession {
  readonly session: VoiceSession;
  /** Settles when the agent is in the room and set up; rejects with what went wrong. */
  readonly joined: Promise<void>;
}

/** Starts a call. Whatever goes wrong in it ends it, or is survived by it; nothing is thrown from here. */
export function startSession(options: SessionOptions): RunningSession {
  const session = new Session(options);
  return { session, joined: session.joined };
}

class Session implements VoiceSession {
  readonly id: string;
  readonly joined: Promise<void>;
  readonly done: Promise<CloseReason>;
  readonly #options: SessionOptions;
  readonly #log: Log;
  readonly #spending: Spending;
  readonly #charge: Charge;
  readonly #succession: Succession;
  readonly #abort = new AbortController();
  readonly #ended = Promise.withResolvers<CloseReason>();
  readonly #broadcast: Broadcast;
  readonly #handling: Handling;
  readonly #own: OwnCode;
  readonly #keeper: Keeper | undefined;
  readonly #children = new Set<Promise<unknown>>();
  #userdata: unknown;
  #room: Room | undefined;
  #call: Call | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.done = this.#ended.promise;
    this.#options = options;
    this.#log = options.log;
    this.#handling = createHandling(options);
    const { keep, resume } = options;
    const onEvent = (event: SessionEvent) => {
      this.#keeper?.note(event);
      owned(this, () => this.#handling.handle(event));
    };
    const elapsedMs = resume?.snapshot.elapsedMs ?? 0;
    this.#broadcast = createBroadcast({ ...options, onEvent, elapsedMs });
    this.#own = createOwnCode({
      ...options,
      session: this,
      handling: this.#handling,
      signal: this.#abort.signal,
      onError: (error) => this.#report(error),
    });
    this.#spending = createSpending({
      ...options,
      emit: this.#broadcast.emit,
      onError: (error) => this.#report(error),
      onSoft: (llm) => this.#charge.economize(llm),
    });
    const { equip, agent, agentName, providers, turnTaking } = options;
    const equipment = createEquipment({
      agent,
      agentName,
      providers,
      turnTaking,
      equip,
      onUsage: this.#spending.add,
      onError: (error) => this.#report(error, { retried: true }),
    });
    // The voice is connected while the room is being joined, so that the first word waits for neither.
    this.#charge = createCharge({
      first: equipment.first,
      signal: this.#abort.signal,
      said: async () => await this.#call?.conversation.said(),
      onError: (error) => this.#report(error),
    });
    this.#succession = createSuccession({
      charge: this.#charge,
      equip: equipment.equip,
      latest: options.latest,
      signal: this.#abort.signal,
      emit: this.#broadcast.emit,
      onTaken: (about) => this.#takenOver(about),
      onError: (error) => this.#report(error),
    });
    const take = createTaker({
      ...options,
      sessionId: options.id,
      charge: this.#charge,
      spending: this.#spending,
    });
    this.#keeper = keep && createKeeper({
      ...options,
      keep,
      take: () => this.#call && take(this.#call, this.#userdata),
    });
    if (resume) {
      if (resume.inCharge !== agent) this.#charge.take(equipment.equip(resume.inCharge));
      this.#spending.spend(resume.snapshot.spentUsd);
    }
    this.joined = owned(this, () => this.#run());
    this.joined.catch((error) => {
      this.#report(asStageError("agent", error));
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
    this.#keeper?.changed();
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
    return owned(this, () => this.#succession.run(task));
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
    return this.#broadcast.events();
  }

  /** An error that nobody caught: this call ends, the others go on. */
  fail(error: unknown): void {
    if (this.#abort.signal.aborted && error === this.#abort.signal.reason) return;
    this.#report(asStageError("session", error));
    void this.close("error");
  }

  close(reason: CloseReason = "closed"): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #run(): Promise<void> {
    const { agent, join } = this.#options;
    const { signal } = this.#abort;
    const room = await join({ signal });
    this.#room = room;
    if (signal.aborted) {
      await room[Symbol.asyncDispose]();
      throw signal.reason;
    }
    const before = this.#options.resume?.snapshot;
    const { written } = this.#keeper ?? {};
    this.#userdata = before ? before.userdata : agent.userdata?.();
    this.#call = createCall({
      ...this.#options,
      before,
      resumed: before && (() => this.#own.resume(this.#charge.current.agent, { room })),
      written,
      room,
      charge: this.#charge,
      succession: this.#succession,
      spent: this.#spending.over,
      session: this,
      signal,
      emit: this.#broadcast.emit,
      onError: (error) => this.#report(error),
      keep: (stage, work) => this.#keep(stage, work),
      hangUp: (reason) => void this.close(reason),
    });
    if (before) this.#broadcast.emit({ type: "resumed" });
    this.#call.begin();
    this.#keeper?.changed();
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
    call.listenWith(this.#charge.current.providers);
    // After a task it is for the code that ran it to go on. What fails in an entry ends the session.
    void call.conversation.tookOver(() =>
      isBack ? new Promise(() => {}) : Promise.allSettled([this.#enter({ room: call.room, from })])
    );
  }

  /** Runs the own code of the agent in charge. */
  #enter(about: Parameters<OwnCode["enter"]>[1]): Promise<void> {
    const entry = this.#own.enter(this.#charge.current.agent, about);
    this.#keep("agent", entry);
    return entry;
  }

  /** Makes `work` part of the session: a failure of it ends the session, and the session's end waits for it. */
  #keep(stage: Stage, work: Promise<unknown>): void {
    const child = work.catch((error) => {
      if (this.#closing) return; // it ends because the session does
      this.#report(asStageError(stage, error));
      void this.close("error");
    }).finally(() => this.#children.delete(child));
    this.#children.add(child);
  }

  async #close(reason: CloseReason): Promise<void> {
    const { clock } = this.#options;
    const gone = this.#room?.closed.aborted === true || reason === "claim-lost";
    await this.#call?.conversation.hearOut({ gone, ended: this.#call.heard });
    await this.#own.sayFarewell(reason);
    this.#abort.abort(new DOMException(`the session has ended: ${reason}`, "AbortError"));
    const ending = [this.#call?.conversation?.idle(), this.#keeper?.close(), this.#leave(reason)];
    const children = [...this.#children, ...ending];
    const timeout = Promise.withResolvers<"late">();
    using _ = clock.after(closeMs, () => timeout.resolve("late"));
    const late = await Promise.race([Promise.allSettled(children), timeout.promise]);
    if (late === "late") {
      this.#log.warn({ closeMs }, "the session was closed before all it started had ended");
    }
    this.#call?.conversation?.settle();
    this.#call?.tellDropped();
    this.#broadcast.emit({ type: "closed", reason });
    this.#broadcast.close();
    // Not awaited: a handler may wait for close().
    this.#handling.whenIdle(closeMs, () => this.#ended.resolve(reason));
  }

  /** Leaves the room, which shows why. */
  async #leave(reason: CloseReason): Promise<void> {
    await Promise.all([this.#room?.showEnd?.(reason), this.#options.onLeave?.(reason)]);
    await this.#room?.[Symbol.asyncDispose]();
  }

  #report(error: StageError, about: { readonly retried?: true } = {}): void {
    this.#log.error({ error, stage: error.stage }, "a stage failed");
    const { agent, providers: { stt, llm, tts } } = this.#charge.current;
    const used: Partial<Record<Stage, { readonly provider: string }>> = { stt, llm, tts };
    const provider = used[error.stage]?.provider;
    this.#broadcast.emit({ type: "error", error, ...(provider !== undefined && { provider }), ...about });
    this.#own.tell(agent, error);
  }
}

const notThere = (method: string): Error =>
  new Error(`${method}(): the agent is not in the room yet; wait for \`entry\` to be called`);
