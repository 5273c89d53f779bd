/** What the agent takes in: the user's voice and words, and what they type and press; all of it is told to turn-taking. */
import type { Clock } from "./clock.ts";
import type { Conversation } from "./conversation.ts";
import { judgePauses } from "./end_of_turn/pauses.ts";
import type { StageError } from "./errors.ts";
import { listen } from "./pipeline.ts";
import type { Room, RoomMessage } from "./room/room.ts";
import type { Providers } from "./session.ts";
import { reconnecting } from "./stt/reconnecting.ts";
import { followLoudness } from "./vad/loudness.ts";

export interface HearingOptions extends Pick<Providers, "vad" | "stt" | "turnDetector"> {
  readonly microphone: Room["microphone"];
  readonly note: Conversation["note"];
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Told of failures that were survived. */
  readonly onError: (error: StageError) => void;
}

export interface Hearing {
  /** The user's turn was committed: the next pause is one of the next turn. */
  turnEnded(): void;
  /** Asks the recognizer for the final words of what it has heard by now. */
  askFinal(): void;
  /** Settles when the microphone has ended; rejects when it, or the detector, fails. */
  readonly done: Promise<void>;
}

/** Listens from now on: hands every mark and every transcript to turn-taking. */
export function startHearing(
  { microphone, vad, stt, turnDetector, note, clock, signal, onError }: HearingOptions,
): Hearing {
  const pauses = turnDetector && judgePauses(turnDetector, {
    onAnswer: (answer) => note({ type: "turn-judged", ...answer }),
    onError,
    signal,
  });
  const loudness = followLoudness();
  const hearing = stt.elsewhere ? stt : reconnecting(stt, {
    clock,
    onError: (error) => {
      note({ type: "hearing-lost" });
      onError(error);
    },
  });
  const { transcripts, askFinal } = listen(microphone, {
    vad,
    stt: hearing,
    onMark: (mark) => {
      pauses?.mark(mark);
      note(mark.type === "speech-start" ? { type: mark.type, atMs: mark.voicedMs } : mark);
    },
    onAudio: (frame) => {
      pauses?.hear(frame);
      const change = loudness(frame);
      if (change) note({ type: `speech-${change}` });
    },
    signal,
  });
  const read = async () => {
    for await (const event of transcripts) {
      const { type, text, confidence, asked } = event;
      const words = { text, ...(confidence !== undefined && { confidence }), ...(asked && { asked }) };
      if (type === "interim") note({ type: "transcript-interim", ...words });
      else {
        const { endOfTurn = false } = event;
        note({ type: "transcript-final", ...words, ...(endOfTurn && { endOfTurn }) });
      }
    }
  };
  return { turnEnded: () => pauses?.turnEnded(), askFinal, done: read() };
}

/** Takes in what the participant types and presses, until the room ends. */
export async function readMessages(
  messages: ReadableStream<RoomMessage>,
  conversation: Pick<Conversation, "note" | "interruptByUser">,
): Promise<void> {
  for await (const message of messages) {
    if (message.type === "interrupt") conversation.interruptByUser();
    else if (message.type === "turn") conversation.note({ type: `turn-${message.action}` });
    else if (message.type === "text") conversation.note({ type: "text-message", text: message.text });
    else {
      const type = message.final ? "transcript-final" : "transcript-interim";
      conversation.note({ type, text: message.text });
    }
  }
}
