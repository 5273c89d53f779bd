/** What is heard from a moment on, by who takes over then. */
import type { AudioFrame } from "../audio/frame.ts";
import type { ParticipantVoice, Room } from "../room/room.ts";

/** The voices in `room` without what was captured before `sinceMs` (clock milliseconds; default: all of them). */
export function heardSince(
  { microphone, voices }: Pick<Room, "microphone" | "voices">,
  sinceMs: number | undefined,
): Pick<Room, "microphone" | "voices"> {
  if (sinceMs === undefined) return { microphone, ...(voices && { voices }) };
  const later = () =>
    new TransformStream<AudioFrame, AudioFrame>({
      transform(frame, controller) {
        if (frame.timestampMs >= sinceMs) controller.enqueue(frame);
      },
    });
  const each = new TransformStream<ParticipantVoice, ParticipantVoice>({
    transform: ({ participant, microphone }, controller) =>
      controller.enqueue({ participant, microphone: microphone.pipeThrough(later()) }),
  });
  return { microphone: microphone.pipeThrough(later()), ...(voices && { voices: voices.pipeThrough(each) }) };
}
