/** One call: joins the room, wires its streams, runs the agent's own code, and ends all of it. */
import type { Agent, GenerateReplyOptions, RpcOptions, SayOptions, VoiceSession } from "./agent.ts";
import { type Attendance, createAttendance } from "./attendance.ts";
import { type CallBackground, playBackground } from "./background.ts";
import { type Broadcast, createBroadcast } from "./broadcast.ts";
import { type Charge, createCharge, type Equipped } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { Conversation } from "./conversation.ts";
import { asStageError, type Stage, type StageError } from "./errors.ts";
import type { CloseReason, SessionEvent, Usage } from "./events.ts";
import { createHandling, type Handling } from "./handlers.ts";
import { type Hearing, readMessages, startHearing } from "./hearing.ts";
import type { HistoryUpdate } from "./history/update.ts";
import type { Log } from "./log.ts";
import { createOwnCode, type OwnCode } from "./own_code.ts";
import type { Room, RoomEnd } from "./room/room.ts";
import { askClient } from "./room/rpc.ts";
import { startHearingPeople } from "./people.ts";
import { owned } from "./stray.ts";
import { createSuccession, type Succession } from "./succession.ts";
import type { Task } from "./task.ts";
import { metered } from "./telemetry/usage.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import type { Expectation } from "./turn/expectation.ts";
import { createSight, type LookOptions, type Sight } from "./vision/sight.ts";

/** What a session started must have ended this long after it was told to. */
const closeMs = 4_000;
/** An entry that has neither failed nor begun to wait for somebody by then counts as set up. */
const setUpMs = 100;

export type { Providers } from "./providers.ts";

/** The agent that begins, what it works with, and the call. */
export interface SessionOptions extends Equipped {
  readonly id: string;
  /** What another agent works with that the conversation is handed over to (default: all that the first does). */
  readonly equip?: (agent: Agent) => Equipped;
  /** Joins the room; `signal` aborts when the session ends before. */
  readonly join: (options: { readonly signal: AbortSignal }) => Promise<Room>;
  /** What the dispatch carried. */
  readonly metadata: string;
  /** The identity to talk with; whoever comes first when it is left out. */
  readonly participant?: string | undefined;
  /** How long the call may last, in milliseconds; as long as it likes when left out. */
  readonly maxCallMs?: number | undefined;
  /** In place of `createMcpServers()`. */
  readonly mcpServers?: OpenMcpServers | undefined;
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
  readonly #charge: Charge;
  readonly #succession: Succession;
  readonly #abort = new AbortController();
  readonly #ended = Promise.withResolvers<CloseReason>();
  readonly #broadcast: Broadcast;
  readonly #handling: Handling;
  readonly #own: OwnCode;
  readonly #children = new Set<Promise<unknown>>();
  #userdata: unknown;
  #conversation: Conversation | undefined;
  #hearing: Hearing | undefined;
  #room: Room | undefined;
  #droppedMs = 0;
  #attendance: Attendance | undefined;
  #sight: Sight | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.done = this.#ended.promise;
    this.#options = options;
    this.#log = options.log;
    this.#handling = createHandling(options);
    const onEvent = (event: SessionEvent) => owned(this, () => this.#handling.handle(event));
    this.#broadcast = createBroadcast({ ...options, onEvent });
    this.#own = createOwnCode({
      ...options,
      session: this,
      handling: this.#handling,
      signal: this.#abort.signal,
      onError: (error) => this.#report(error),
    });
    // The voice is connected while the room is being joined, so that the first word waits for neither.
    this.#charge = createCharge({
      first: this.#metered(options),
      signal: this.#abort.signal,
      said: async () => await this.#conversation?.said(),
      onError: (error) => this.#report(error),
    });
    this.#succession = createSuccession({
      charge: this.#charge,
      equip: (agent) => this.#metered(this.#equip(agent)),
      signal: this.#abort.signal,
      emit: this.#broadcast.emit,
      onTaken: (about) => this.#takenOver(about),
    });
    this.joined = owned(this, () => this.#run());
    this.joined.catch((error) => {
      this.#report(asStageError("agent", error));
      return this.close("error");
    });
  }

  get state() {
    if (this.#abort.signal.aborted) return "closed";
    return this.#conversation?.state ?? "initializing";
  }

  get participant() {
    return this.#room?.participant;
  }

  get history() {
    return this.#conversation?.history.items ?? [];
  }

  updateHistory(update: HistoryUpdate) {
    this.#inRoom("updateHistory").updateHistory(update);
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
    if (!this.#conversation) return Promise.reject(notThere("run"));
    return owned(this, () => this.#succession.run(task));
  }

  interrupt() {
    owned(this, () => this.#conversation?.interrupt());
  }

  #inRoom(method: string): Conversation {
    if (this.#conversation) return this.#conversation;
    throw notThere(method);
  }

  expect(expected: Expectation | undefined) {
    this.#inRoom("expect").expect(expected);
  }

  startUserTurn() {
    this.#conversation?.note({ type: "turn-start" });
  }

  commitUserTurn() {
    this.#conversation?.note({ type: "turn-commit" });
  }

  clearUserTurn() {
    this.#conversation?.note({ type: "turn-cancel" });
  }

  async performRpc(method: string, payload: string, { timeoutMs, signal: own }: RpcOptions = {}) {
    const ended = this.#abort.signal;
    const signal = own ? AbortSignal.any([own, ended]) : ended;
    return await askClient(this.#room, method, payload, { signal, timeoutMs });
  }

  async look(options?: LookOptions) {
    return await this.#sight?.look(options);
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
    const { agent, clock, join, participant } = this.#options;
    const { signal } = this.#abort;
    const room = await join({ signal });
    this.#room = room;
    if (signal.aborted) {
      await room[Symbol.asyncDispose]();
      throw signal.reason;
    }
    const { backgroundAudio } = agent;
    const background: CallBackground | undefined = backgroundAudio && room.background &&
      playBackground(room.background, backgroundAudio, { onError: (error) => this.#report(error) });
    this.#userdata = agent.userdata?.();
    const sight = createSight({
      video: room.video,
      options: () => this.#charge.current.agent.video,
      clock,
      signal,
      onError: (error) => this.#report(error),
    });
    this.#sight = sight;
    const conversation = new Conversation({
      charge: this.#charge,
      session: this,
      room,
      clock,
      signal,
      emit: (event) => {
        if (event.type === "user-speech-committed") {
          this.#hearing?.turnEnded();
          this.#tellDropped(room);
          this.#succession.heard();
        }
        if (event.type === "state-changed") background?.show(event.state);
        sight.note(event);
        this.#broadcast.emit(event);
      },
      sight,
      successor: this.#succession.successor,
      mcpServers: this.#options.mcpServers,
      onError: (error) => this.#report(error),
      onPresence: (event) => this.#attendance?.note(event),
      askFinal: () => this.#hearing?.askFinal(),
    });
    this.#conversation = conversation;
    room.closed.addEventListener("abort", () => void this.close(room.closed.reason as RoomEnd), { signal });
    if (room.closed.aborted) void this.close(room.closed.reason as RoomEnd);
    this.#keep("room", this.#await(room, participant, conversation));
    const listening = {
      ...this.#charge.current.providers,
      note: conversation.note.bind(conversation),
      clock,
      signal,
      onError: (error: StageError) => this.#report(error),
    };
    const { voices, microphone } = room;
    const { maxRecognizers } = agent;
    const hearing = voices
      ? startHearingPeople({ ...listening, room, voices, maxRecognizers, emit: this.#broadcast.emit })
      : startHearing({ ...listening, microphone });
    this.#hearing = hearing;
    this.#keep("stt", hearing.done);
    if (room.messages) this.#keep("room", readMessages(room.messages, conversation, { clock, signal }));
    conversation.open();
    await this.#setUp(room);
  }

  /** Waits for somebody to talk with: from then on the agent speaks, and it is watched whether they are still there. */
  async #await(room: Room, participant: string | undefined, conversation: Conversation): Promise<void> {
    const { signal } = this.#abort;
    await room.waitForParticipant(participant, { signal });
    await room.audible?.({ signal });
    if (signal.aborted) return;
    const { agent, clock, maxCallMs } = this.#options;
    this.#attendance = createAttendance({
      agent,
      clock,
      maxCallMs,
      signal,
      emit: this.#broadcast.emit,
      say: (text, options) => conversation.speech.say(text, options),
      hangUp: (reason) => void this.close(reason),
    });
    conversation.admit();
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
    const room = this.#room;
    const conversation = this.#conversation;
    if (!room || !conversation) return;
    this.#hearing?.use(this.#charge.current.providers);
    // After a task it is for the code that ran it to go on. What fails in an entry ends the session.
    void conversation.tookOver(() =>
      isBack ? new Promise(() => {}) : Promise.allSettled([this.#enter({ room, from })])
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
    const gone = this.#room?.closed.aborted === true;
    await this.#conversation?.hearOut({ gone, ended: this.#hearing?.done });
    await this.#own.sayFarewell(reason);
    this.#abort.abort(new DOMException(`the session has ended: ${reason}`, "AbortError"));
    const children = [...this.#children, this.#conversation?.idle(), this.#leave(reason)];
    const timeout = Promise.withResolvers<"late">();
    using _ = clock.after(closeMs, () => timeout.resolve("late"));
    const late = await Promise.race([Promise.allSettled(children), timeout.promise]);
    if (late === "late") {
      this.#log.warn({ closeMs }, "the session was closed before all it started had ended");
    }
    this.#conversation?.settle();
    if (this.#room) this.#tellDropped(this.#room);
    this.#broadcast.emit({ type: "closed", reason });
    this.#broadcast.close();
    // Not awaited: a handler may wait for close().
    this.#handling.whenIdle(closeMs, () => this.#ended.resolve(reason));
  }

  /** Tells what of the microphone was lost since that was told last. */
  #tellDropped({ droppedMs }: Room): void {
    const ms = droppedMs - this.#droppedMs;
    this.#droppedMs = droppedMs;
    if (ms > 0) this.#broadcast.emit({ type: "microphone-dropped", ms });
  }

  /** Leaves the room, which shows why. */
  async #leave(reason: CloseReason): Promise<void> {
    await this.#room?.showEnd?.(reason);
    await this.#room?.[Symbol.asyncDispose]();
  }

  #equip(agent: Agent): Equipped {
    const { equip, agentName, providers, turnTaking } = this.#options;
    if (equip) return equip(agent);
    return {
      agent,
      agentName: agent === this.#options.agent ? agentName : agent.name ?? "agent",
      providers,
      turnTaking,
    };
  }

  /** What `equipped` uses is counted, and what failed and was made good is told. */
  #metered(equipped: Equipped): Equipped {
    const { agent, agentName, turnTaking } = equipped;
    const onUsage = (usage: Usage) => this.#broadcast.emit({ type: "usage", usage });
    const providers = metered(equipped.providers, onUsage, (error) => this.#report(error));
    return { agent, agentName, turnTaking, providers };
  }

  #report(error: StageError): void {
    this.#log.error({ error, stage: error.stage }, "a stage failed");
    const { agent, providers: { stt, llm, tts } } = this.#charge.current;
    const used: Partial<Record<Stage, { readonly provider: string }>> = { stt, llm, tts };
    const provider = used[error.stage]?.provider;
    this.#broadcast.emit({ type: "error", error, ...(provider !== undefined && { provider }) });
    this.#own.tell(agent, error);
  }
}

const notThere = (method: string): Error =>
  new Error(`${method}(): the agent is not in the room yet; wait for \`entry\` to be called`);
