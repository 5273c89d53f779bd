/** A room without a network: what tests talk with, on any clock. */
import { type AudioFrame, durationMs } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import { createMixer } from "../audio/mixer.ts";
import { type AudioDevice, createSpeaker } from "../audio/playout.ts";
import type { Clock } from "../clock.ts";
import type {
  AgentState,
  Participant,
  ParticipantVoice,
  Room,
  RoomEnd,
  RoomMessage,
  RoomVideo,
  VideoFrame,
  VideoSource,
} from "./room.ts";

/** A stretch of sound that left the agent's speaker; times in clock milliseconds. */
export interface PlayedSpan {
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: Int16Array;
}

/** One piece of a transcript that clients were shown. */
export interface ShownTranscript {
  readonly of: "user" | "agent";
  readonly id: string;
  readonly text: string;
  readonly final: boolean;
  /** Whose it is, where several are heard. */
  readonly speaker?: string;
}

export interface MemoryRoom extends Room {
  /** Speaks into the agent's microphone, or, where everybody is heard, that of `identity`. */
  hear(frame: AudioFrame, identity?: string): void;
  /** Types, or presses a button. */
  tell(message: RoomMessage): void;
  /** Lets a participant in; they are linked when they are the one waited for. `name`: as their identity when left out. */
  enter(identity: string, name?: string): void;
  /** Lets somebody leave for good; the room ends when they were the last of those who are heard. */
  leave(identity: string): void;
  /** Ends the room for the agent. */
  end(reason: RoomEnd): void;
  /** What the agent said, as far as it was played by now. */
  readonly played: readonly PlayedSpan[];
  readonly shown: readonly ShownTranscript[];
  readonly states: readonly AgentState[];
  /** Why the session ended, as clients were shown. */
  readonly ends: readonly string[];
}

/** What somebody shows: a frame of each source that is on. */
export type Shown = { readonly [source in VideoSource]?: VideoFrame };

const microphoneLimitMs = 2_000;
const voicesKept = 1_000;
const messagesKept = 100;

/** An empty room with the agent in it, which hears the linked participant (the default) or everybody. */
export function memoryRoom(
  { name, clock, participants = "linked", performRpc, shows, device: given, transcripts }: {
    readonly name: string;
    readonly clock: Clock;
    readonly participants?: "linked" | "all";
    /** What the participant's client does (default: there is none that could do anything). */
    readonly performRpc?: Room["performRpc"];
    /** What the participant shows, as it is at the moment (default: no video is received). */
    readonly shows?: Shown | undefined;
    /** What plays the agent's voice (default: it is kept in `played`). */
    readonly device?: AudioDevice;
    /** Who is shown what was said (default: it is kept in `shown`). */
    readonly transcripts?: Room["transcripts"];
  },
): MemoryRoom {
  const newMicrophone = () => liveStream<AudioFrame>({ limit: microphoneLimitMs, size: durationMs });
  const microphone = newMicrophone();
  const voices = liveStream<ParticipantVoice>({ limit: voicesKept });
  const microphones = new Map<string, ReturnType<typeof newMicrophone>>();
  const messages = liveStream<RoomMessage>({ limit: messagesKept });
  const memory = memoryDevice(clock);
  const mixer = createMixer(given ?? memory, { clock });
  const shown: ShownTranscript[] = [];
  const states: AgentState[] = [];
  const ends: string[] = [];
  const closed = new AbortController();
  const present = new Map<string, Participant>();
  const waiting = new Set<() => void>();
  let participant: Participant | undefined;

  const end = (reason: RoomEnd) => {
    if (closed.signal.aborted) return;
    for (const one of [microphone, ...microphones.values(), voices, messages]) one.close();
    closed.abort(reason);
  };
  return {
    name,
    id: `RM_${name}`,
    identity: "agent",
    microphone: microphone.readable,
    speaker: createSpeaker(mixer.voice, { clock }),
    background: mixer,
    ...(shows && { video: videoOf(shows) }),
    closed: closed.signal,
    shown,
    states,
    ends,
    get participant() {
      return participant;
    },
    get droppedMs() {
      return microphone.dropped;
    },
    get played() {
      return memory.played();
    },
    messages: messages.readable,
    ...(participants === "all" && { voices: voices.readable }),
    hear: (frame, identity) => (identity === undefined ? microphone : microphones.get(identity))?.push(frame),
    tell: (message) => messages.push(message),
    end,
    enter(identity, name = identity) {
      const participant = { identity, name, metadata: "", attributes: {} };
      present.set(identity, participant);
      if (participants === "all" && !microphones.has(identity)) {
        const own = newMicrophone();
        microphones.set(identity, own);
        voices.push({ participant, microphone: own.readable });
      }
      for (const look of waiting) look();
    },
    leave(identity) {
      present.delete(identity);
      microphones.get(identity)?.close();
      microphones.delete(identity);
      const isLast = participants === "all" ? present.size === 0 : participant?.identity === identity;
      if (isLast) end("participant-left");
    },
    waitForParticipant(identity, { signal } = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<Participant>();
      const over = AbortSignal.any(signal ? [signal, closed.signal] : [closed.signal]);
      const give = () => {
        waiting.delete(look);
        reject(new DOMException("nobody came before the room ended", "AbortError"));
      };
      const look = () => {
        const found = identity === undefined ? present.values().next().value : present.get(identity);
        if (!found) return;
        waiting.delete(look);
        over.removeEventListener("abort", give);
        participant ??= found;
        resolve(found);
      };
      waiting.add(look);
      if (over.aborted) give();
      else over.addEventListener("abort", give, { once: true });
      look();
      return promise;
    },
    ...(performRpc && { performRpc }),
    showEnd(reason) {
      ends.push(reason);
      return Promise.resolve();
    },
    setState: (state) => void states.push(state),
    transcripts: transcripts ?? {
      user: (segment) => void shown.push({ of: "user", ...segment }),
      agent: (id) => ({
        write: (text) => void shown.push({ of: "agent", id, text, final: false }),
        close: () => void shown.push({ of: "agent", id, text: "", final: true }),
      }),
    },
    [Symbol.asyncDispose]() {
      mixer[Symbol.dispose]();
      end("closed");
      return Promise.resolve();
    },
  };
}

const videoOf = (shows: Shown): RoomVideo => ({
  async frame({ source, signal }) {
    await Promise.resolve();
    signal.throwIfAborted();
    return source ? shows[source] : shows.screen ?? shows.camera;
  },
});

interface MemoryDevice extends AudioDevice {
  played(): PlayedSpan[];
}

/** Plays 24 kHz mono into memory, at the pace of `clock`. */
function memoryDevice(clock: Clock): MemoryDevice {
  const format = { sampleRate: 24_000, channels: 1 };
  let spans: PlayedSpan[] = [];
  let endMs = 0;
  const until = (nowMs: number): PlayedSpan[] =>
    spans.filter(({ fromMs }) => fromMs < nowMs).map((span) => {
      if (span.toMs <= nowMs) return span;
      const samples = span.samples.subarray(0, Math.round((nowMs - span.fromMs) * format.sampleRate / 1000));
      return { ...span, toMs: nowMs, samples };
    });
  return {
    format,
    push(samples) {
      const fromMs = Math.max(clock.now(), endMs);
      endMs = fromMs + samples.length / format.sampleRate * 1000;
      spans.push({ fromMs, toMs: endMs, samples });
    },
    clear() {
      spans = until(clock.now());
      endMs = clock.now();
    },
    get queuedMs() {
      return Math.max(0, endMs - clock.now());
    },
    played: () => until(clock.now()),
  };
}
