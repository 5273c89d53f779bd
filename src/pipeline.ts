/**
 * The data's path. Listening is one stream for the whole session, speaking a short one for each reply.
 *
 *   microphone → vad → stt → transcripts            the marks of the voice are told on the way
 *   words → clauses → spoken form → tts → speaker   cut off, paused and resumed at the speaker
 */
import type { AudioFrame } from "./audio/frame.ts";
import type { Playout } from "./room/room.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt/stt.ts";
import { type Clause, clauses } from "./text/clauses.ts";
import { type SpokenForm, verbatim } from "./text/spoken_form.ts";
import type { SpeechEvent, TextToSpeech } from "./tts/tts.ts";
import type { VoiceActivityDetector, VoiceEvent, VoiceMark } from "./vad/vad.ts";

export interface Listening {
  readonly vad: VoiceActivityDetector;
  readonly stt: SpeechToText;
  /** Whether what the user is about to say is dictated. */
  readonly isDictated: () => boolean;
  /** Told of every mark as it passes, before the recognizer has it. */
  readonly onMark: (mark: VoiceMark) => void;
  /** Told of every frame as it passes, after the marks that were found in it. */
  readonly onAudio?: (frame: AudioFrame) => void;
  readonly signal: AbortSignal;
}

export interface Listener {
  readonly transcripts: ReadableStream<TranscriptEvent>;
  /** Asks the recognizer for the final words of what it was given by now. */
  askFinal(): void;
}

/** Turns the microphone into transcripts, for as long as it is open. */
export function listen(
  microphone: ReadableStream<AudioFrame>,
  { vad, stt, isDictated, onMark, onAudio, signal }: Listening,
): Listener {
  const { requests, askFinal } = requestsTo(isDictated);
  const voice = microphone
    .pipeThrough(vad.detect({ signal }))
    .pipeThrough(observe((event) => {
      if (event.type === "audio") onAudio?.(event.frame);
      else onMark(event);
    }))
    .pipeThrough(requests);
  return { transcripts: stt.transcribe(voice, { signal }), askFinal };
}

/** Passes the voice on, with what the recognizer is to know: the requests for final words, and what is dictated. */
function requestsTo(isDictated: () => boolean) {
  let controller: TransformStreamDefaultController<SpeechInput> | undefined;
  const over = () => void (controller = undefined);
  const requests = new TransformStream<VoiceEvent, SpeechInput>({
    start: (given) => void (controller = given),
    transform: (event, controller) =>
      controller.enqueue(
        event.type === "speech-start" && isDictated() ? { ...event, dictated: true } : event,
      ),
    flush: over,
    cancel: over,
  });
  return { requests, askFinal: () => controller?.enqueue({ type: "finalize" }) };
}

export interface Speaking {
  readonly tts: TextToSpeech;
  /** What of the text is read aloud, and how. */
  readonly spokenForm: SpokenForm;
  readonly playout: Playout;
  /** Settles with how much of it was heard, in milliseconds. */
  readonly heardMs: Promise<number>;
  /** Told of each clause before it is spoken; the concatenated `text` of all is the whole reply. */
  readonly onClause: (clause: Clause) => void;
  /** Told of each event of the voice before it is played. */
  readonly onSpeech: (event: SpeechEvent) => void;
  readonly signal: AbortSignal;
}

/** Speaks `words` as they come; settles when they were played out. Aborting `signal` cuts them off. */
export async function speak(
  words: ReadableStream<string>,
  { tts, spokenForm, playout, heardMs, onClause, onSpeech, signal }: Speaking,
): Promise<void> {
  const text = spokenTextOf(words, { tts, spokenForm, onClause });
  const frames = tts.synthesize(text, { signal, heardMs })
    .pipeThrough(observe(onSpeech))
    .pipeThrough(audioFrames());
  // The speaker holds the signal itself: pipeTo() would play every frame it has read already.
  await frames.pipeTo(playout.writable);
}

/** What a voice is given of `words`. */
export function spokenTextOf(
  words: ReadableStream<string>,
  { tts, spokenForm, onClause = () => {} }:
    & Pick<Speaking, "tts" | "spokenForm">
    & Partial<Pick<Speaking, "onClause">>,
): ReadableStream<string> {
  const spoken = tts.verbatim
    ? words.pipeThrough(verbatim())
    : words.pipeThrough(clauses()).pipeThrough(spokenForm());
  return spoken.pipeThrough(observe(onClause)).pipeThrough(spokenText());
}

/** Passes everything on, and tells `each` of it. */
function observe<T>(each: (chunk: T) => void): TransformStream<T, T> {
  return new TransformStream({
    transform(chunk, controller) {
      each(chunk);
      controller.enqueue(chunk);
    },
  });
}

function spokenText(): TransformStream<Clause, string> {
  return new TransformStream({
    transform({ spoken }, controller) {
      if (spoken !== "") controller.enqueue(spoken);
    },
  });
}

function audioFrames(): TransformStream<SpeechEvent, AudioFrame> {
  return new TransformStream({
    transform(event, controller) {
      if (event.type === "audio") controller.enqueue(event.frame);
    },
  });
}
