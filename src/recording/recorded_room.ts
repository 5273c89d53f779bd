/** A room that is written down as a session uses it. */
import type { AudioFrame } from "../audio/frame.ts";
import type { ParticipantVoice, Playout, Room, RoomMessage, Speaker } from "../room/room.ts";
import type { Recorder } from "./recorder.ts";

/** The same room; who comes, what they type and press, what the speaker does and why it ends are written down. */
export function recordedRoom(room: Room, recorder: Recorder): Room {
  recorder.note({ type: "room-joined" });
  let left = false;
  const ended = () => {
    if (!left) recorder.note({ type: "room-ended", reason: String(room.closed.reason) });
  };
  if (room.closed.aborted) ended();
  else room.closed.addEventListener("abort", ended, { once: true });
  const { messages, background, video, witnesses, performRpc, voices } = room;
  let came = false;
  let leavingSinceMs: number | undefined;
  return {
    name: room.name,
    id: room.id,
    identity: room.identity,
    get participant() {
      return room.participant;
    },
    ...(witnesses && {
      get witnesses() {
        return room.witnesses ?? witnesses;
      },
    }),
    microphone: room.microphone,
    ...(voices && { voices: voices.pipeThrough(notedVoices(room, recorder)) }),
    get droppedMs() {
      return room.droppedMs;
    },
    ...(messages && { messages: messages.pipeThrough(noted(recorder)) }),
    speaker: recordedSpeaker(room.speaker, recorder),
    ...(background && { background }),
    ...(video && { video }), // what is seen is not written down
    transcripts: room.transcripts,
    async waitForParticipant(identity, options) {
      const participant = await room.waitForParticipant(identity, options);
      if (!came) recorder.note({ type: "participant-came", identity: participant.identity });
      came = true;
      return participant;
    },
    async audible(options) {
      await room.audible?.(options);
      recorder.note({ type: "participant-audible" });
    },
    ...(performRpc && { performRpc: performRpc.bind(room) }),
    async showEnd(reason) {
      leavingSinceMs = recorder.now();
      await room.showEnd?.(reason);
    },
    ...(room.publishOnBehalf && { publishOnBehalf: room.publishOnBehalf.bind(room) }),
    setState: (state) => room.setState(state),
    closed: room.closed,
    async [Symbol.asyncDispose]() {
      left = true;
      leavingSinceMs ??= recorder.now();
      await room[Symbol.asyncDispose]();
      recorder.note({ type: "room-left", tookMs: recorder.now() - leavingSinceMs });
    },
  };
}

function noted(recorder: Recorder): TransformStream<RoomMessage, RoomMessage> {
  return new TransformStream({
    transform(message, controller) {
      recorder.note({ type: "participant-told", message });
      controller.enqueue(message);
    },
  });
}

/** Writes down who comes, and who leaves while others talk on. */
function notedVoices(
  { closed }: Room,
  recorder: Recorder,
): TransformStream<ParticipantVoice, ParticipantVoice> {
  return new TransformStream({
    transform({ participant, microphone }, controller) {
      const { identity, name } = participant;
      recorder.note({ type: "voice-joined", identity, name });
      const left = new TransformStream<AudioFrame, AudioFrame>({
        flush() {
          const gone = !closed.aborted || closed.reason === "participant-left";
          if (gone) recorder.note({ type: "voice-left", identity, name });
        },
      });
      controller.enqueue({ participant, microphone: microphone.pipeThrough(left) });
    },
  });
}

function recordedSpeaker(speaker: Speaker, recorder: Recorder): Speaker {
  return { format: speaker.format, open: (options) => recordedPlayout(speaker.open(options), recorder) };
}

/** A reply that is prepared is paused before it is heard: that is no interruption, and is left out. */
function recordedPlayout(playout: Playout, recorder: Recorder): Playout {
  let startedMs: number | undefined;
  let pausedAtMs: number | undefined;
  /** How long it was kept back since it began to be heard. */
  let pausedMs = 0;
  void playout.started.then(() => {
    startedMs = recorder.now();
    recorder.note({ type: "speaker-started" });
  });
  void playout.done.then((end) => {
    const took = startedMs === undefined ? {} : { tookMs: recorder.now() - startedMs - pausedMs };
    recorder.note({ type: "speaker-ended", ...end, ...took });
  });
  return {
    writable: playout.writable,
    started: playout.started,
    done: playout.done,
    get playedMs() {
      return playout.playedMs;
    },
    pause() {
      if (startedMs !== undefined && pausedAtMs === undefined) {
        pausedAtMs = recorder.now();
        recorder.note({ type: "speaker-paused" });
      }
      playout.pause();
    },
    resume() {
      if (pausedAtMs !== undefined) {
        pausedMs += recorder.now() - pausedAtMs;
        recorder.note({ type: "speaker-resumed" });
      }
      pausedAtMs = undefined;
      playout.resume();
    },
  };
}
