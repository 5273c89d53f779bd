/** What goes on in the room: the conversation, who is there for it, and what it hears and sees. */
import type { Agent } from "./agent.ts";
import { type Attendance, createAttendance } from "./attendance.ts";
import { playBackground } from "./background.ts";
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { Conversation } from "./conversation.ts";
import type { Stage, StageError } from "./errors.ts";
import type { CloseReason, SessionEventBody } from "./events.ts";
import type { MadeSpeech } from "./greeting.ts";
import { type Ears, type Hearing, readMessages, startHearing } from "./hearing.ts";
import { startHearingPeople } from "./people.ts";
import type { SentenceEnd } from "./reply.ts";
import { heardSince } from "./resume/heard_since.ts";
import type { Room, RoomEnd } from "./room/room.ts";
import type { SessionSnapshot } from "./resume/snapshot.ts";
import type { Succession } from "./succession.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import { type EndReason, type PresenceState, shifted } from "./turn/presence.ts";
import { createSight, type Sight } from "./vision/sight.ts";
import type { VoiceSession } from "./voice_session.ts";

/** How long the user of a call that is gone on with may take to be there, in milliseconds. */
const returnMs = 20_000;

export interface CallOptions {
  readonly room: Room;
  /** Who begins. */
  readonly agent: Agent;
  readonly charge: Charge;
  readonly succession: Succession;
  /** The session that it is the call of. */
  readonly session: VoiceSession;
  /** The identity to talk with; whoever comes first when it is left out. */
  readonly participant?: string | undefined;
  /** How long the call may last, in milliseconds; as long as it likes when left out. */
  readonly maxCallMs?: number | undefined;
  /** The session that it goes on from; see Conversation. */
  readonly before?: SessionSnapshot | undefined;
  /** See Resume. */
  readonly silentlySinceMs?: number | undefined;
  /** What the agent's own code does then; settles with what is said, if not the usual: see Resumption. */
  readonly resumed?: (() => Promise<string | undefined>) | undefined;
  /** See Resumption. */
  readonly made?: MadeSpeech | undefined;
  /** See CallOptions of tools. */
  readonly written?: (() => Promise<void>) | undefined;
  /** Aborts when the call has cost as much as it may. */
  readonly spent: AbortSignal;
  /** In place of `createMcpServers()`. */
  readonly mcpServers?: OpenMcpServers | undefined;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /** Told of failures that the call survives. */
  readonly onError: (error: StageError) => void;
  /** Makes `work` part of the session, which a failure of it ends. */
  readonly keep: (stage: Stage, work: Promise<unknown>) => void;
  readonly hangUp: (reason: CloseReason) => void;
}

export interface Call {
  readonly room: Room;
  readonly conversation: Conversation;
  readonly sight: Sight;
  /** From now on the user is heard, and waited for. */
  begin(): void;
  /** Listens with these from now on. */
  listenWith(ears: Ears): void;
  /** Hears, takes in and says nothing from now on, until what this returns is called: see Conversation. */
  hold(at?: SentenceEnd): () => void;
  /** Until when the user's voice was heard (clock milliseconds); undefined before there was one. */
  readonly heardMs: number | undefined;
  /** Settles when no more is heard; undefined before it began. */
  readonly heard: Promise<void> | undefined;
  /** When the user came, in milliseconds since the session began. */
  readonly talkingSinceMs: number | undefined;
  /** Whether they are still talking, in milliseconds since the session began. */
  readonly presence: PresenceState | undefined;
  /** Ends the call after a last line, if there is somebody to hear it; settles when that was said. */
  sayLast(reason: EndReason): Promise<void>;
  /** Tells what of the microphone was lost since that was told last. */
  tellDropped(): void;
}

/** A call that is ready to begin. */
export function createCall({ room, agent, charge, succession, ...options }: CallOptions): Call {
  const { session, participant, maxCallMs = Infinity, mcpServers, spent, ...more } = options;
  const { before, silentlySinceMs, resumed, made, written, clock, signal, emit, onError, keep, hangUp } =
    more;
  let hearing: Hearing | undefined;
  let attendance: Attendance | undefined;
  // What was dropped before it went on here was heard elsewhere.
  let droppedMs = silentlySinceMs === undefined ? 0 : room.droppedMs;
  let talkingSinceMs = before?.talkingSinceMs;
  const tellDropped = () => {
    const ms = room.droppedMs - droppedMs;
    droppedMs = room.droppedMs;
    if (ms > 0) emit({ type: "microphone-dropped", ms });
  };
  const background = agent.backgroundAudio && room.background &&
    playBackground(room.background, agent.backgroundAudio, { onError });
  const sight = createSight({
    video: room.video,
    options: () => charge.current.agent.video,
    clock,
    signal,
    onError,
  });
  const conversation = new Conversation({
    charge,
    session,
    room,
    clock,
    signal,
    emit(event) {
      if (event.type === "user-speech-committed") {
        hearing?.turnEnded();
        tellDropped();
        succession.heard();
      }
      if (event.type === "state-changed") background?.show(event.state);
      sight.note(event);
      emit(event);
    },
    sight,
    successor: succession.successor,
    renew() {
      const isNew = succession.renew();
      if (isNew) hearing?.use(charge.current.providers);
      return isNew;
    },
    mcpServers,
    before,
    begun: silentlySinceMs === undefined ? undefined : before?.begun,
    written,
    onError,
    onPresence: (event) => attendance?.note(event),
    askFinal: () => hearing?.askFinal(),
  });

  /** Waits for somebody to talk with: from then on the agent speaks, and it is watched whether they are still there. */
  const attend = async () => {
    const line = resumed?.();
    {
      // Who has left while nobody was there to notice does not come.
      using _ = before && clock.after(returnMs, () => hangUp("participant-left"));
      await room.waitForParticipant(participant, { signal });
    }
    conversation.expectListener();
    await room.audible?.({ signal });
    const said = silentlySinceMs === undefined ? await line : "";
    if (signal.aborted) return;
    const { elapsedMs } = conversation.history;
    talkingSinceMs ??= elapsedMs;
    const leftMs = Math.max(0, maxCallMs - (elapsedMs - talkingSinceMs));
    const say = conversation.speech.say.bind(conversation.speech);
    const presence = before?.presence && shifted(before.presence, clock.now() - elapsedMs);
    attendance = createAttendance({
      agent,
      before: presence,
      clock,
      maxCallMs: leftMs,
      spent,
      signal,
      emit,
      say,
      hangUp,
    });
    conversation.admit();
    conversation.resumption.goOn(said, made);
  };
  const listen = (): Hearing => {
    const note = conversation.note.bind(conversation);
    const isDictated = () => conversation.expected !== undefined;
    const listening = { ...charge.current.providers, note, isDictated, clock, signal, onError };
    const { voices, microphone } = heardSince(room, silentlySinceMs);
    const { maxRecognizers } = agent;
    if (voices) return startHearingPeople({ ...listening, room, voices, maxRecognizers, emit });
    return startHearing({ ...listening, microphone });
  };
  return {
    room,
    conversation,
    sight,
    tellDropped,
    get heardMs() {
      return hearing?.heardMs;
    },
    get heard() {
      return hearing?.done;
    },
    get presence() {
      return attendance && shifted(attendance.state, conversation.history.elapsedMs - clock.now());
    },
    get talkingSinceMs() {
      return talkingSinceMs;
    },
    begin() {
      room.closed.addEventListener("abort", () => hangUp(room.closed.reason as RoomEnd), { signal });
      if (room.closed.aborted) hangUp(room.closed.reason as RoomEnd);
      keep("room", attend());
      hearing = listen();
      keep("stt", hearing.done);
      if (room.messages) keep("room", readMessages(room.messages, conversation, { clock, signal }));
      conversation.open();
    },
    listenWith: (ears) => hearing?.use(ears),
    hold(at) {
      const listenOn = hearing?.hold();
      const goOn = conversation.hold(at);
      return () => {
        goOn();
        listenOn?.();
      };
    },
    sayLast: async (reason) => await attendance?.end(reason),
  };
}
