import type { AudioFrame } from "../../audio/frame.ts";
import { liveStream } from "../../audio/live.ts";
import type { Participant, ParticipantVoice } from "../room.ts";
import { createMicrophone, type Microphone, type MicrophoneOptions } from "./microphone.ts";

/** More people than come while nobody reads. */
const VOICES_KEPT = 1_000;

/** The microphones of those the agent hears. */
export interface Microphones {
  /** The linked participant's; silent where everybody has one of their own. */
  readonly microphone: ReadableStream<AudioFrame>;
  /** Everybody's, each from the moment they come. */
  readonly voices?: ReadableStream<ParticipantVoice>;
  /** Milliseconds that were dropped because nobody read them in time. */
  readonly droppedMs: number;
  /** The microphone that `participant` is heard with: theirs, or the one there is. */
  of(participant: Participant): Microphone;
  /** Whoever has that identity is gone for good: their own microphone ends. */
  end(identity: string): void;
  close(): void;
}

/** One microphone, for whoever is linked. */
export function oneMicrophone(options: MicrophoneOptions): Microphones {
  const microphone = createMicrophone(options);
  return {
    microphone: microphone.readable,
    get droppedMs() {
      return microphone.droppedMs;
    },
    of() {
      microphone.detach(); // silence is heard until there is a track: a recognizer may not be left without audio
      return microphone;
    },
    end() {},
    close: microphone.close,
  };
}

/** A microphone for each; of whoever has none nothing is heard, not even silence. */
export function microphoneEach(options: MicrophoneOptions): Microphones {
  const nobody = liveStream<AudioFrame>({ limit: 0 });
  const voices = liveStream<ParticipantVoice>({ limit: VOICES_KEPT });
  const microphones = new Map<string, Microphone>();
  let droppedBefore = 0;
  let over = false;
  const end = (identity: string) => {
    const microphone = microphones.get(identity);
    microphone?.close();
    droppedBefore += microphone?.droppedMs ?? 0;
    microphones.delete(identity);
  };
  return {
    microphone: nobody.readable,
    voices: voices.readable,
    get droppedMs() {
      return [...microphones.values()].reduce((sum, { droppedMs }) => sum + droppedMs, droppedBefore);
    },
    of(participant) {
      const known = microphones.get(participant.identity);
      if (known) return known;
      const microphone = createMicrophone(options);
      microphones.set(participant.identity, microphone);
      voices.push({ participant, microphone: microphone.readable });
      if (over) microphone.close();
      return microphone;
    },
    end,
    close() {
      over = true;
      for (const identity of [...microphones.keys()]) end(identity);
      voices.close();
      nobody.close();
    },
  };
}
