/** Sessions with a page that follow a script: they echo the microphone, and answer what is typed with a tone. */
import { type AudioFrame, samplesIn } from "../../src/audio/frame.ts";
import { liveStream } from "../../src/audio/live.ts";
import type { Clock } from "../../src/clock.ts";
import type { SessionRequest } from "../../src/dispatch/dispatcher.ts";
import type { CloseReason, SessionEvent, SessionEventBody } from "../../src/events.ts";
import type { Room } from "../../src/room/room.ts";
import type { RunningSession } from "../../src/session.ts";
import type { VoiceSession } from "../../src/voice_session.ts";
import { fakeSpeech } from "./session.ts";

export interface ScriptedCalls {
  readonly start: (request: SessionRequest) => RunningSession;
  /** The rooms that were joined, newest last. */
  readonly rooms: Room[];
  /** What was heard of each reply, in ms, and whether it was cut. */
  readonly played: { readonly playedMs: number; readonly interrupted: boolean }[];
}

/** `echo`: says back what the microphone hears, as it hears it. Otherwise typed words are answered with `answerMs` of a tone. */
export function scriptedCalls(
  { clock, echo = false, answerMs = 1_500, answer = "Here is what I have to say about that, in some words." }:
    {
      readonly clock: Clock;
      readonly echo?: boolean;
      readonly answerMs?: number;
      readonly answer?: string;
    },
): ScriptedCalls {
  const rooms: Room[] = [];
  const played: { playedMs: number; interrupted: boolean }[] = [];
  const start = (request: SessionRequest): RunningSession => {
    const over = new AbortController();
    const done = Promise.withResolvers<CloseReason>();
    const events = liveStream<SessionEvent>({ limit: 1_000 });
    const emit = (event: SessionEventBody) => events.push({ ...event, atMs: clock.now() });
    let reply = new AbortController();
    let replies = 0;

    const close = (reason: CloseReason = "closed"): Promise<void> => {
      over.abort();
      emit({ type: "closed", reason });
      events.close();
      done.resolve(reason);
      return Promise.resolve();
    };
    const speak = async (room: Room) => {
      reply = new AbortController();
      const id = `reply-${++replies}`;
      const playout = room.speaker.open({ signal: AbortSignal.any([reply.signal, over.signal]) });
      const segment = room.transcripts.agent(id);
      room.setState("thinking");
      await clock.sleep(200);
      playout.started.then(() => {
        room.setState("speaking");
        segment.write(answer);
        const latency = {
          endpointingMs: 360,
          sttMs: 140,
          llmMs: 210,
          clauseMs: 40,
          ttsMs: 120,
          playoutMs: 4,
          totalMs: 734,
        };
        emit({ type: "agent-started-speaking", replyId: id, latency });
      });
      await ReadableStream.from(tone(room, answerMs)).pipeTo(playout.writable);
      const end = await playout.done;
      played.push(end);
      segment.close();
      const heard = end.interrupted
        ? answer.slice(0, Math.ceil(answer.length * end.playedMs / answerMs))
        : answer;
      emit({ type: "agent-speech-committed", replyId: id, text: heard, interrupted: end.interrupted });
      room.setState("listening");
    };
    const run = async () => {
      if (!request.join) throw new Error("expected a room of its own");
      const room = await request.join({ signal: over.signal });
      rooms.push(room);
      room.closed.addEventListener("abort", () => void close(room.closed.reason), { once: true });
      room.setState("listening");
      if (echo) return void sayBack(room, over.signal);
      void drain(room);
      void (async () => {
        for await (const message of room.messages ?? []) {
          reply.abort();
          if (message.type === "text") void speak(room);
          else if (message.type === "transcript") room.transcripts.user({ id: "user-0", ...message });
        }
      })();
    };
    const session: VoiceSession = {
      id: request.id,
      state: "listening",
      history: [],
      updateHistory: () => {},
      say: () => fakeSpeech(""),
      generateReply: () => fakeSpeech(""),
      run: () => Promise.reject(new Error("not here")),
      interrupt: () => reply.abort(),
      expect: () => {},
      startUserTurn: () => {},
      commitUserTurn: () => {},
      performRpc: () => Promise.reject(new Error("there is no client")),
      look: () => Promise.resolve(undefined),
      clearUserTurn: () => {},
      events: () => events.readable,
      close,
      done: done.promise,
    };
    return { session, joined: run(), dismiss: () => close("shutdown"), departure: () => undefined };
  };
  return { start, rooms, played };
}

/** Plays the microphone back, three samples for each two. */
export async function sayBack(room: Room, signal: AbortSignal): Promise<void> {
  const playout = room.speaker.open({ signal });
  room.setState("speaking");
  const louder = new TransformStream<AudioFrame, AudioFrame>({
    transform({ samples, timestampMs }, controller) {
      const out = Int16Array.from(
        { length: samples.length * 1.5 },
        (_, i) => samples[Math.floor(i / 1.5)] ?? 0,
      );
      controller.enqueue({ ...room.speaker.format, samples: out, timestampMs });
    },
  });
  await room.microphone.pipeThrough(louder).pipeTo(playout.writable);
}

async function drain(room: Room): Promise<void> {
  for await (const _ of room.microphone);
}

/** A tone of 440 Hz in frames of 20 ms. */
function* tone(room: Room, ms: number): Generator<AudioFrame> {
  const { format } = room.speaker;
  const perFrame = samplesIn(20, format);
  for (let at = 0; at < ms / 20; at++) {
    const samples = Int16Array.from(
      { length: perFrame },
      (_, i) => 8_000 * Math.sin(2 * Math.PI * 440 * (at * perFrame + i) / format.sampleRate),
    );
    yield { ...format, samples, timestampMs: 0 };
  }
}
