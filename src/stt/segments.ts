/** A recognizer made of one that transcribes recordings: speech is sent as a whole each time it pauses. */
import { abortable } from "../abort.ts";
import { type AudioFrame, durationMs, joined } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";

/** Audio that is kept until it is known whether speech has begun in it, in milliseconds. */
const KEPT_MS = 1_000;
/** What belongs to speech that goes on after a pause, before the first voiced window of it. */
const PREFIX_MS = 100;
/** Speech that does not pause is transcribed every so often, so that an interruption is recognized as one. */
const INTERIM_MS = 1_500;
/** The longest segment; models hear no more than this at a time. */
const LONGEST_MS = 30_000;

/** What is transcribed: 16 kHz mono. */
export const segmentFormat = { sampleRate: 16_000, channels: 1 } as const;

/** Transcribes one recording: yields its text so far, any number of times; the last is the whole text. */
export type TranscribeSegment = (
  samples: Int16Array,
  options: { readonly signal: AbortSignal },
) => AsyncIterable<string>;

export interface SegmentedOptions {
  readonly provider: string;
  readonly model: string;
  readonly transcribe: TranscribeSegment;
  /** A transcription that gets no further for this long has failed, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/**
 * Transcribes speech as soon as it pauses. A transcript that comes back while it is silent is the final one, and what is
 * said later is another utterance; one that comes too late for that is an interim one, and the whole is sent again at the
 * next pause. All in all about twice the speech's length is transcribed.
 */
export function segmentedSpeechToText(options: SegmentedOptions): SpeechToText {
  return {
    provider: options.provider,
    model: options.model,
    input: segmentFormat,
    countsSent: true,
    transcribe: (voice, { signal, onSent }) => transcribeSegments(voice, options, signal, onSent),
  };
}

/** An utterance that has no final transcript yet. */
interface Segment {
  readonly frames: AudioFrame[];
  lengthMs: number;
  text: string;
  /** The transcription under way. */
  asked: AbortController | undefined;
  /** Whether the latest transcription, under way or not, has everything that was said. */
  whole: boolean;
  /** How much was said since the latest transcription began, in milliseconds. */
  unaskedMs: number;
}

function transcribeSegments(
  voice: ReadableStream<SpeechInput>,
  { transcribe, patienceMs, clock }: SegmentedOptions,
  signal: AbortSignal,
  onSent: (audioMs: number) => void = () => {},
): ReadableStream<TranscriptEvent> {
  const over = new AbortController();
  const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => over.abort() });
  const recent = recentAudio();
  /** In the order they were said, which is the order they are told in. */
  const segments: Segment[] = [];
  /** The last segment, while more may be said in it. */
  let open: Segment | undefined;
  let speaking = false;
  const asking = new Set<Promise<void>>();

  const fail = (error: unknown) => {
    if (over.signal.aborted) return;
    out.error(error);
    over.abort(error);
  };

  const tell = () => {
    for (let segment = segments[0]; segment; segment = segments[0]) {
      const final = segment.whole && !segment.asked;
      const { text } = segment;
      out.push(final && text ? { type: "final", text } : { type: "interim", text });
      if (!final) return;
      segments.shift();
      if (segment === open) open = undefined;
    }
  };

  const ask = (segment: Segment) => {
    segment.asked?.abort();
    segment.asked = new AbortController();
    segment.unaskedMs = 0;
    if (segment.whole) recent.forget();
    const asked = answer(segment, AbortSignal.any([over.signal, segment.asked.signal]));
    asking.add(asked);
    asked.then(() => asking.delete(asked));
  };

  const answer = async (segment: Segment, signal: AbortSignal) => {
    try {
      let text = "";
      const samples = joined(segment.frames);
      onSent(samples.length / segmentFormat.sampleRate * 1000);
      for await (text of patient(transcribe, samples, { patienceMs, clock, signal })) {
        if (text.length <= segment.text.length) continue; // words that are already known come again
        segment.text = text;
        tell();
      }
      segment.text = spoken(text);
      segment.asked = undefined;
      tell();
    } catch (error) {
      if (!signal.aborted) fail(asStageError("stt", error));
    }
  };

  const begin = (atMs: number) => {
    const frames = recent.since(atMs);
    open = { frames, lengthMs: 0, text: "", asked: undefined, whole: false, unaskedMs: 0 };
    segments.push(open);
  };

  const finish = () => {
    if (!open) return;
    if (!open.whole) {
      open.whole = true;
      ask(open);
    }
    open = undefined;
  };

  const hear = (frame: AudioFrame) => {
    recent.add(frame);
    if (!open) return;
    open.frames.push(frame);
    open.lengthMs += durationMs(frame);
    open.unaskedMs += durationMs(frame);
    if (open.lengthMs >= LONGEST_MS) {
      finish();
      begin(Infinity);
    } else if (!open.whole && open.unaskedMs >= INTERIM_MS) {
      if (!open.asked) ask(open);
      open.unaskedMs = 0;
      tell(); // the same again: the recognizer is at it
    }
  };

  const note = (event: SpeechInput) => {
    switch (event.type) {
      case "finalize": // every pause is transcribed as it is
        return;
      case "speech-start":
        speaking = true;
        return begin(event.atMs);
      case "speech-pause":
        if (!open) return;
        open.whole = true;
        return ask(open);
      case "speech-resume":
        if (open) open.whole = false;
        else begin(event.atMs - PREFIX_MS);
        return;
      case "speech-end":
        speaking = false;
        return finish();
      case "audio":
        if (event.speech && !speaking) { // its start was lost with a connection
          speaking = true;
          begin(Infinity);
        }
        return hear(event.frame);
    }
  };

  if (signal.aborted) fail(signal.reason);
  else signal.addEventListener("abort", () => fail(signal.reason), { signal: over.signal });
  voice.pipeTo(new WritableStream({ write: note }), { signal: over.signal }).then(async () => {
    finish();
    await Promise.all(asking);
    out.close();
    over.abort();
  }, fail);
  return out.readable;
}

/** The transcription's texts; fails when none comes for `patienceMs`, and at once when `signal` aborts. */
async function* patient(
  transcribe: TranscribeSegment,
  samples: Int16Array,
  { patienceMs, clock, signal }: Pick<SegmentedOptions, "patienceMs" | "clock"> & {
    readonly signal: AbortSignal;
  },
): AsyncGenerator<string> {
  const stalled = new AbortController();
  const cut = AbortSignal.any([signal, stalled.signal]);
  const texts = transcribe(samples, { signal: cut })[Symbol.asyncIterator]();
  for (;;) {
    using _timer = clock.after(patienceMs, () => {
      stalled.abort(new StageError("stt", `no transcript for ${patienceMs / 1000} s`, { retryable: true }));
    });
    const { done, value } = await abortable(texts.next(), cut);
    if (done) return;
    yield value;
  }
}

/** `text`, or nothing when it only names what is not speech: "[BLANK_AUDIO]", "(music)", "…". */
function spoken(text: string): string {
  return /[\p{L}\p{N}]/u.test(text.replaceAll(/\[[^\]]*\]|\([^)]*\)/g, "")) ? text.trim() : "";
}

/** The last second of audio that was in no transcription yet. */
function recentAudio() {
  let frames: AudioFrame[] = [];
  let lengthMs = 0;
  return {
    add(frame: AudioFrame) {
      frames.push(frame);
      lengthMs += durationMs(frame);
      while (lengthMs > KEPT_MS && frames[0]) lengthMs -= durationMs(frames.shift()!);
    },
    since: (atMs: number) => frames.filter((frame) => frame.timestampMs + durationMs(frame) > atMs),
    forget() {
      frames = [];
      lengthMs = 0;
    },
  };
}
