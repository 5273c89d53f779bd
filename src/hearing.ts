/** What the agent takes in: the user's voice and words, and what they type and press; all of it is told to turn-taking. */
import { abortable } from "./abort.ts";
import { type AudioFrame, durationMs } from "./audio/frame.ts";
import type { Clock } from "./clock.ts";
import type { Conversation } from "./conversation.ts";
import { judgePauses } from "./end_of_turn/pauses.ts";
import { asStageError, type StageError } from "./errors.ts";
import { createKeypad } from "./keypad.ts";
import { listen } from "./pipeline.ts";
import type { Room, RoomMessage } from "./room/room.ts";
import type { Providers } from "./providers.ts";
import { reconnecting } from "./stt/reconnecting.ts";
import type { SpeechToText, TranscriptEvent } from "./stt/stt.ts";
import type { RecognizedEnd } from "./turn/state.ts";
import { followLoudness } from "./vad/loudness.ts";

/** What it is heard with. */
export type Ears = Pick<Providers, "vad" | "stt" | "turnDetector">;

export interface HearingOptions extends Ears {
  readonly microphone: Room["microphone"];
  readonly note: Conversation["note"];
  /** Wraps each recognizer that is connected. */
  readonly recognizing?: (stt: SpeechToText) => SpeechToText;
  /** Whether the user has been asked for something that is dictated. */
  readonly isDictated: () => boolean;
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
  /** Takes in nothing more and tells no words, until what this returns is called: what came meanwhile waits. */
  hold(): () => void;
  /** Listens with these from now on, if they are others; what was said before is still recognized by those before. */
  use(ears: Ears): void;
  /** Until when the microphone was heard, by the time of its frames (clock milliseconds); undefined before the first. */
  readonly heardMs: number | undefined;
  /** Settles when the microphone has ended; rejects when it, or the detector, fails. */
  readonly done: Promise<void>;
}

/** Listens from now on: hands every mark and every transcript to turn-taking. */
export function startHearing({ microphone, vad, stt, turnDetector, ...options }: HearingOptions): Hearing {
  const { note, clock, signal, onError } = options;
  const over = Promise.withResolvers<void>();
  let heardMs: number | undefined;
  let ears: Ears = { vad, stt, ...(turnDetector && { turnDetector }) };
  let inUse = 0;
  let held: Promise<void> | undefined;
  const open = (): Ear => {
    const nth = ++inUse;
    const ear = openEar({
      ...options,
      ...ears,
      isInUse: () => nth === inUse,
      held: () => held,
      onHeard: (untilMs) => void (heardMs = untilMs),
    });
    ear.done.catch((error) => nth === inUse ? over.reject(error) : onError(asStageError("stt", error)));
    return ear;
  };
  let ear = open();
  const listenOn = async () => {
    for await (const frame of microphone) {
      if (held) await abortable(held, signal);
      await abortable(ear.hear(frame), signal);
    }
    await ear.close();
    await ear.done;
  };
  listenOn().then(over.resolve, over.reject);
  return {
    turnEnded: () => ear.turnEnded(),
    askFinal: () => ear.askFinal(),
    hold() {
      const over = Promise.withResolvers<void>();
      held = over.promise;
      return () => {
        held = undefined;
        over.resolve();
      };
    },
    use(next) {
      const isSame = (["vad", "stt", "turnDetector"] as const).every((part) => next[part] === ears[part]);
      if (isSame || signal.aborted) return;
      ears = next;
      const before = ear;
      ear = open();
      before.close().catch((error) => onError(asStageError("stt", error)));
      note({ type: "speech-end", atMs: clock.now() }); // a voice that goes on begins anew
    },
    get heardMs() {
      return heardMs;
    },
    done: over.promise,
  };
}

interface Ear extends Pick<Hearing, "turnEnded" | "askFinal" | "done"> {
  /** Takes in a frame; settles when there is room for the next. */
  hear(frame: AudioFrame): Promise<void>;
  /** No more is heard: what was said by then is still recognized. */
  close(): Promise<void>;
}

/** One detector and one recognizer; the marks of the voice count only while they are in use. */
function openEar(
  {
    vad,
    stt,
    turnDetector,
    note,
    recognizing = (stt) => stt,
    isDictated,
    clock,
    signal,
    onError,
    onHeard,
    ...whether
  }:
    & Omit<HearingOptions, "microphone">
    /** `held`: settles when words may be told that may not be now; `onHeard`: told how far the microphone was heard. */
    & {
      readonly isInUse: () => boolean;
      readonly held: () => Promise<void> | undefined;
      readonly onHeard: (untilMs: number) => void;
    },
): Ear {
  const { readable, writable } = new TransformStream<AudioFrame, AudioFrame>();
  const writer = writable.getWriter();
  const pauses = turnDetector && judgePauses(turnDetector, {
    onAnswer: (answer) => note({ type: "turn-judged", ...answer }),
    onError,
    signal,
  });
  const loudness = followLoudness();
  const lost = (error: StageError) => {
    note({ type: "hearing-lost" });
    onError(error);
  };
  const hearing = stt.elsewhere ? stt : recognizing(reconnecting(stt, { clock, onError: lost }));
  const { transcripts, askFinal } = listen(readable, {
    vad,
    stt: hearing,
    isDictated,
    onMark: (mark) => {
      if (!whether.isInUse()) return;
      pauses?.mark(mark);
      note(mark.type === "speech-start" ? { type: mark.type, atMs: mark.voicedMs } : mark);
    },
    onAudio: (frame) => {
      onHeard(frame.timestampMs + durationMs(frame));
      pauses?.hear(frame);
      const change = loudness(frame);
      if (change) note({ type: `speech-${change}` });
    },
    signal,
  });
  const read = async () => {
    /** Words that are not final yet. */
    let open = "";
    for await (const event of transcripts) {
      const held = whether.held();
      if (held) await abortable(held, signal);
      open = event.type === "interim" ? event.text : "";
      const { type, text, confidence, asked } = event;
      const end = endIn(event);
      note({
        type: `transcript-${type}`,
        text,
        ...(confidence !== undefined && { confidence }),
        ...(asked && { asked }),
        ...(end && { end }),
        ...(event.type === "final" && event.untilMs !== undefined && { untilMs: event.untilMs }),
      });
    }
    // Nobody else has heard them: who said them has left, or another recognizer has taken over.
    if (open !== "") note({ type: "transcript-final", text: open });
  };
  return {
    turnEnded: () => pauses?.turnEnded(),
    askFinal,
    hear: (frame) => writer.write(frame),
    close: () => writer.close(),
    done: read(),
  };
}

/** What a recognizer says of the end of the turn. */
function endIn(event: TranscriptEvent): Exclude<RecognizedEnd, "none"> | undefined {
  if (event.type === "interim") return event.eager && "likely";
  return event.endOfTurn && (event.judged ? "judged" : "silent");
}

/** Takes in what the participant types and presses, until the room ends. */
export async function readMessages(
  messages: ReadableStream<RoomMessage>,
  conversation: Pick<Conversation, "note" | "interruptByUser">,
  { clock, signal }: Pick<HearingOptions, "clock" | "signal">,
): Promise<void> {
  const onEntered = (text: string) => conversation.note({ type: "text-message", text });
  const keypad = createKeypad({ clock, signal, onEntered });
  for await (const message of messages) {
    if (message.type === "interrupt") conversation.interruptByUser();
    else if (message.type === "dtmf") keypad.press(message.digit);
    else if (message.type === "turn") conversation.note({ type: `turn-${message.action}` });
    else if (message.type === "text") {
      const { text, from: speaker } = message;
      conversation.note({ type: "text-message", text, ...(speaker && { speaker }) });
    } else {
      const type = message.final ? "transcript-final" : "transcript-interim";
      conversation.note({ type, text: message.text });
    }
  }
}
