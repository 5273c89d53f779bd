/** What a session is made of beside the room, and what its parts tell each other. */
import type { Agent } from "./agent.ts";
import { type Broadcast, createBroadcast } from "./broadcast.ts";
import type { Call } from "./call.ts";
import { type Charge, createCharge, type Equipped } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { createEquipment } from "./equipment.ts";
import type { Stage, StageError } from "./errors.ts";
import type { CloseReason, SessionEvent } from "./events.ts";
import type { MadeSpeech } from "./greeting.ts";
import { createHandling, type Handling } from "./handlers.ts";
import type { Log } from "./log.ts";
import { createOwnCode, type OwnCode } from "./own_code.ts";
import { createKeeper, type Keeper } from "./resume/keeper.ts";
import type { SessionSnapshot } from "./resume/snapshot.ts";
import { createTaker } from "./resume/take.ts";
import type { Room } from "./room/room.ts";
import { createSpending, type Spending, type SpendingOptions } from "./spending.ts";
import { owned, type Owner } from "./stray.ts";
import { createSuccession, type Succession, type SuccessionOptions } from "./succession.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import type { VoiceSession } from "./voice_session.ts";

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
  readonly resume?: Resume | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a session goes on from. */
export interface Resume {
  readonly snapshot: SessionSnapshot;
  readonly inCharge: Agent;
  /** Nobody is to notice: nothing is said, and what was heard before that is not heard again (clock milliseconds). */
  readonly silentlySinceMs?: number | undefined;
  /** What is said first, where that is being made. */
  readonly made?: MadeSpeech | undefined;
}

/** The session that the parts are of. */
export interface SessionHost extends Pick<SuccessionOptions, "onTaken"> {
  readonly session: VoiceSession & Owner;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Undefined before the room is joined. */
  readonly call: () => Call | undefined;
}

/** The parts of one session. */
export interface SessionParts {
  readonly broadcast: Broadcast;
  readonly handling: Handling;
  readonly own: OwnCode;
  readonly spending: Spending;
  readonly charge: Charge;
  readonly succession: Succession;
  readonly keeper: Keeper | undefined;
  /** The session as it stands. */
  readonly take: (call: Call) => SessionSnapshot;
  /** Tells the log, the readers of events and the agent of a failure; `retried`: which was made good. */
  readonly report: (error: StageError, about?: { readonly retried?: true }) => void;
}

/** Makes the parts and joins them; when the session goes on from another, they stand as they did then. */
export function createSessionParts(
  options: SessionOptions,
  { session, signal, call, onTaken }: SessionHost,
): SessionParts {
  const { agent, agentName, providers, turnTaking, equip, latest, keep, resume, log } = options;

  const report: SessionParts["report"] = (error, about = {}) => {
    log.error({ error, stage: error.stage }, "a stage failed");
    const { agent, providers: { stt, llm, tts } } = charge.current;
    const used: Partial<Record<Stage, { readonly provider: string }>> = { stt, llm, tts };
    const provider = used[error.stage]?.provider;
    broadcast.emit({ type: "error", error, ...(provider !== undefined && { provider }), ...about });
    own.tell(agent, error);
  };
  const onError = (error: StageError) => report(error);

  const handling = createHandling(options);
  const broadcast = createBroadcast({
    ...options,
    onEvent(event: SessionEvent) {
      keeper?.note(event);
      owned(session, () => handling.handle(event));
    },
    elapsedMs: resume?.snapshot.elapsedMs ?? 0,
  });
  const { emit } = broadcast;
  const goesOn = () => typeof charge.current.agent.resumed === "function";
  const own = createOwnCode({ ...options, session, handling, signal, goesOn, onError });
  const spending = createSpending({ ...options, emit, onError, onSoft: (llm) => charge.economize(llm) });
  const equipment = createEquipment({
    agent,
    agentName,
    providers,
    turnTaking,
    equip,
    onUsage: spending.add,
    onError: (error) => report(error, { retried: true }),
  });
  // The voice is connected while the room is being joined, so that the first word waits for neither.
  const charge = createCharge({
    first: equipment.first,
    signal,
    said: async () => await call()?.conversation.said(),
    onError,
  });
  const succession = createSuccession({
    charge,
    equip: equipment.equip,
    latest,
    signal,
    emit,
    onTaken,
    onError,
  });
  const take = createTaker({ ...options, sessionId: options.id, charge, spending });
  const taken = (call: Call) => take(call, session.userdata);
  const takenNow = () => {
    const current = call();
    return current && taken(current);
  };
  const keeper = keep && createKeeper({ ...options, keep, take: takenNow });
  if (resume) {
    if (resume.inCharge !== agent) charge.take(equipment.equip(resume.inCharge));
    spending.spend(resume.snapshot.spentUsd);
  }
  return { broadcast, handling, own, spending, charge, succession, keeper, take: taken, report };
}
