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
    showEnd: async (reason) => await room.showEnd?.(reason),
    ...(room.publishOnBehalf && { publishOnBehalf: room.publishOnBehalf.bind(room) }),
    setState: (state) => room.setState(state),
    closed: room.closed,
    [Symbol.asyncDispose]() {
      left = true;
      return room[Symbol.asyncDispose]();
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
  return {
    format: speaker.format,
    open(options) {
      const playout = speaker.open(options);
      void playout.started.then(() => recorder.note({ type: "speaker-started" }));
      void playout.done.then((end) => recorder.note({ type: "speaker-ended", ...end }));
      return recordedPlayout(playout, recorder);
    },
  };
}

/** A reply that is prepared is paused before it is heard: that is no interruption, and is left out. */
function recordedPlayout(playout: Playout, recorder: Recorder): Playout {
  let started = false;
  let paused = false;
  void playout.started.then(() => started = true);
  return {
    writable: playout.writable,
    started: playout.started,
    done: playout.done,
    get playedMs() {
      return playout.playedMs;
    },
    pause() {
      if (started && !paused) recorder.note({ type: "speaker-paused" });
      paused = true;
      playout.pause();
    },
    resume() {
      if (started && paused) recorder.note({ type: "speaker-resumed" });
      paused = false;
      playout.resume();
    },
  };
}
