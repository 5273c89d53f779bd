import type { AudioFormat, AudioFrame } from "../audio/frame.ts";

/** Somebody in the room, as the agent sees them. */
export interface Participant {
  readonly identity: string;
  readonly name: string;
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What the agent is doing, as clients show it (LiveKit's `lk.agent.state`). */
export type AgentState = "initializing" | "idle" | "listening" | "thinking" | "speaking";

/** Why a room came to its end for the agent. */
export type RoomEnd = "participant-left" | "room-deleted" | "removed" | "disconnected" | "closed";

/**
 * The agent's voice in the room. One playout at a time: the speaker of the reply before must be done before the next is
 * opened.
 */
export interface Speaker {
  /** What `open().writable` takes. */
  readonly format: AudioFormat;
  /** Begins one reply. Aborting `signal` silences it at once and discards what was not played. */
  open(options: { readonly signal: AbortSignal }): Playout;
}

/** What is heard behind the agent's voice, and turned down under it. Disposing of it ends all of that. */
export interface Background extends Disposable {
  /** What `layer()` takes; one channel. */
  readonly format: AudioFormat;
  /**
   * A sound that is repeated for as long as it is started, fading in and out in `fadeMs`; silent at first. `volume`: 1
   * leaves it as loud as it is. The samples must end where they begin.
   */
  layer(samples: Int16Array, options: { readonly volume: number; readonly fadeMs: number }): BackgroundLayer;
}

/** One sound behind the agent's voice. */
export interface BackgroundLayer {
  start(): void;
  stop(): void;
}

/** One reply on its way to the listener. */
export interface Playout {
  /**
   * Takes the audio at the pace it is played. `close()` settles when the last sample has left the speaker; after an
   * abort every write is accepted and dropped, and none blocks.
   */
  readonly writable: WritableStream<AudioFrame>;
  /** Settles with the time (session clock, ms) at which the first sample left for the room; never when nothing does. */
  readonly started: Promise<number>;
  /** Milliseconds of this reply that have been heard up to now; a pause holds it. */
  readonly playedMs: number;
  /** Falls silent at once and keeps what was not played. */
  pause(): void;
  /** Goes on at the sample where it was paused. */
  resume(): void;
  /** Settles when the reply was played out or cut off; never rejects. */
  readonly done: Promise<{ readonly playedMs: number; readonly interrupted: boolean }>;
}

/** One of several people in a room, and their voice. */
export interface ParticipantVoice {
  readonly participant: Participant;
  /** As `Room.microphone`, of theirs alone; it ends when they are gone for good. */
  readonly microphone: ReadableStream<AudioFrame>;
}

/** What was said, for the clients in the room to show. */
export interface TranscriptPublisher {
  /**
   * The user's words so far in the segment `id`; each call replaces the text before it. `speaker`: the identity of whoever
   * says them, where several are heard.
   */
  user(
    segment: {
      readonly id: string;
      readonly text: string;
      readonly final: boolean;
      readonly speaker?: string;
    },
  ): void;
  /** A segment of the agent's, written piece by piece; `close` ends it. */
  agent(id: string): { write(text: string): void; close(): void };
}

/** What a participant tells the agent other than by voice. */
export type RoomMessage =
  /** A typed turn; `from`: whose, where several are heard. */
  | {
    readonly type: "text";
    readonly text: string;
    readonly from?: Pick<Participant, "identity" | "name"> | undefined;
  }
  /** What the participant's own device recognized; each replaces the interim one before. */
  | { readonly type: "transcript"; readonly text: string; readonly final: boolean }
  /** Cuts the agent off. */
  | { readonly type: "interrupt" }
  /** A key to talk: pressed (which cuts the agent off, too), let go, or let go and what was said forgotten. */
  | { readonly type: "turn"; readonly action: "start" | "commit" | "cancel" }
  /** A key of a telephone: 0–9, "*" or "#". */
  | { readonly type: "dtmf"; readonly digit: string };

/** What a participant may show. */
export type VideoSource = "camera" | "screen";

/** A picture out of a video. */
export interface VideoFrame {
  /** Its rows from the top, each pixel red, green and blue. */
  readonly rgb: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Degrees by which it is to be turned clockwise to be upright. */
  readonly rotation: 0 | 90 | 180 | 270;
}

/** What the linked participant shows; nothing is decoded or kept of what nobody asks for. */
export interface RoomVideo {
  /**
   * The newest frame of `source` (default: of the screen while that is shown, else of the camera); undefined when that is
   * not shown, or brings none for 2 s. Rejects with a StageError of stage "room", or when `signal` aborts.
   */
  frame(
    options: { readonly source?: VideoSource | undefined; readonly signal: AbortSignal },
  ): Promise<VideoFrame | undefined>;
}

/** Where a conversation takes place: a LiveKit room, a browser's socket, or a test's memory. */
export interface Room extends AsyncDisposable {
  readonly name: string;
  /** The room's unique id (LiveKit: its SID). */
  readonly id: string;
  /** The agent's own identity in the room. */
  readonly identity: string;
  /** The one the agent talks with, once there. */
  readonly participant: Participant | undefined;
  /**
   * Ids (LiveKit: SIDs) of whoever else was in the room when the linked participant was last there, or when the agent
   * was; whoever has another came afterwards.
   */
  readonly witnesses?: ReadonlySet<string>;
  /**
   * The linked participant's voice, 16 kHz mono in frames of about 20 ms, from the moment the room is joined; silence is
   * delivered too. In real time: when it is not read the oldest frames are dropped and counted.
   */
  readonly microphone: ReadableStream<AudioFrame>;
  /**
   * Where the agent hears everybody: their voices, each when they come, to be read in place of `microphone`, which brings
   * nothing then. It ends with the room.
   */
  readonly voices?: ReadableStream<ParticipantVoice>;
  /** Milliseconds of microphone audio that were dropped because nobody read them in time. */
  readonly droppedMs: number;
  /** What those type and press whom the agent hears; missing where nobody can. It ends with the room. */
  readonly messages?: ReadableStream<RoomMessage>;
  readonly speaker: Speaker;
  /** What is heard behind the agent's voice; missing where there can be nothing. */
  readonly background?: Background;
  /** What the linked participant shows; missing where nothing is received of it. */
  readonly video?: RoomVideo;
  readonly transcripts: TranscriptPublisher;
  /**
   * Waits for a participant who can talk (not an agent, egress or ingress) and links the session to them; whoever
   * is there already, or comes first. Rejects when the room ends before, or `signal` aborts.
   */
  waitForParticipant(identity?: string, options?: { readonly signal?: AbortSignal }): Promise<Participant>;
  /**
   * Settles when the linked participant can hear the agent, or that takes too long to wait for; missing where they can
   * from the beginning. Rejects only when `signal` aborts.
   */
  audible?(options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Settles when the agent hears whoever it listens to and has a microphone, or that takes too long to wait for; missing where
   * it does from the beginning. Rejects only when `signal` aborts.
   */
  hears?(options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Has the linked participant's client carry out `method`; settles with its answer. Payload and answer are text of 15 KiB
   * at the most. Rejects with what the user may hear, or the signal's reason. Missing where no client could.
   */
  performRpc?(
    method: string,
    payload: string,
    options: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<string>;
  /** Shows clients why the session ends, before the room is left; settles within 1 s. Never rejects. */
  showEnd?(reason: string): Promise<void>;
  /** Shows the agent's state to clients. Never throws: a client that cannot see it is no reason to end a call. */
  setState(state: AgentState): void;
  /**
   * Hides the agent from clients behind that of `identity` as soon as that one is seen, or 5 s later; or shows it, which calls
   * that back. Settles when LiveKit has taken that, or 2 s after that.
   * Missing where agents are not found by their attributes.
   */
  publishOnBehalf?(identity: string | undefined): Promise<void>;
  /** Whether the agent is connected, and sees no other agent of its name; missing where there can be none. */
  readonly isAlone?: boolean;
  /** Aborts, with a RoomEnd as its reason, when there is nobody left to talk with: the session ends then. */
  readonly closed: AbortSignal;
  /** Leaves the room. `delete`: ends it for everybody. Settles within 3 s. */
  [Symbol.asyncDispose](): Promise<void>;
}
