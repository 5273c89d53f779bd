/** Recognizers that stand in for each other: a connection that fails is followed by one to the next. */
import { untilAborted } from "../abort.ts";
import { durationMs } from "../audio/frame.ts";
import { type LiveStream, liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { createHealth, type Health } from "../health.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";

export interface FallbackOptions {
  readonly clock: Clock;
  /** How the recognizers are doing, when more than this wrapper is to know. */
  readonly health?: Health | undefined;
}

/**
 * One recognizer made of several, which take the same format. Each `transcribe()` goes to one of them: the first, or the
 * next while those before it have failed lately. A failure is the stream's: whoever connects again, and sends the audio
 * again (`reconnecting()`), gets the next. Once a better one may be tried again, it takes over when the user is silent and
 * has been understood.
 */
export function fallbackSpeechToText(
  recognizers: readonly [SpeechToText, ...SpeechToText[]],
  options: FallbackOptions,
): SpeechToText {
  const { clock } = options;
  const health = options.health ?? createHealth({ members: recognizers.length, clock });
  const [{ provider, model, input }] = recognizers;
  for (const { input: { sampleRate, channels }, ...other } of recognizers) {
    if (sampleRate === input.sampleRate && channels === input.channels) continue;
    throw new TypeError(
      `${other.provider}/${other.model} takes ${sampleRate} Hz × ${channels}; ` +
        `expected ${input.sampleRate} Hz × ${input.channels}, as ${provider}/${model} does`,
    );
  }

  const transcribe: SpeechToText["transcribe"] = (voice, { signal }) => {
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => over.abort() });
    let place = health.order()[0] ?? 0;
    let feed: LiveStream<SpeechInput>;
    let speaking = false;
    /** There are words that are not final. */
    let pending = false;
    /** Milliseconds of audio that came by now. */
    let heardMs = 0;

    const follow = async (mine: number, events: ReadableStream<TranscriptEvent>) => {
      const [beganMs, fromMs] = [clock.now(), heardMs];
      let isFirst = true;
      for await (const event of untilAborted(events, both)) {
        if (isFirst) health.answered(mine, clock.now() - beganMs);
        isFirst = false;
        pending = event.type === "interim" && event.text !== "";
        out.push(later(event, fromMs));
      }
    };
    const begin = () => {
      const mine = place;
      feed = liveStream<SpeechInput>({ limit: Infinity });
      const input = feed;
      follow(mine, recognizers[mine]!.transcribe(feed.readable, { signal: both })).then(() => {
        if (input === feed) end();
      }, (error: unknown) => {
        if (!signal.aborted) health.failed(mine);
        if (input === feed) end(error); // one that was taken over from may fail as it likes
      });
    };
    const end = (error?: unknown) => {
      if (over.signal.aborted) return;
      over.abort();
      if (error === undefined) out.close();
      else out.error(error);
    };
    const hear = (event: SpeechInput) => {
      if (event.type === "speech-start") speaking = true;
      if (event.type === "speech-end") speaking = false;
      if (!speaking && !pending && health.isBetterThan(place)) {
        feed.close();
        place = health.order()[0] ?? place;
        begin();
      }
      if (event.type === "audio") heardMs += durationMs(event.frame);
      feed.push(event);
    };

    // Who listens to us gives up on a recognizer that is deaf: that is its failure, too, and known before the next.
    const deaf = () => {
      if (signal.reason instanceof StageError) health.failed(place);
    };
    signal.addEventListener("abort", deaf, { once: true, signal: over.signal });
    begin();
    voice.pipeTo(new WritableStream({ write: hear, close: () => feed.close() }), { signal: both }).catch(
      (error) => {
        if (!over.signal.aborted && !signal.aborted) end(error);
      },
    );
    return out.readable;
  };
  return {
    provider,
    model,
    input,
    transcribe,
    connect: (session) => recognizers.forEach((member) => member.connect?.(session)),
    each: (wrap) => fallbackSpeechToText(recognizers.map(wrap) as [SpeechToText], { ...options, health }),
  };
}

/** `event` of a recognizer whose first audio came `fromMs` after the first there was. */
function later(event: TranscriptEvent, fromMs: number): TranscriptEvent {
  if (event.type === "interim" || !event.words || fromMs === 0) return event;
  const words = event.words.map((word) => ({
    ...word,
    startMs: word.startMs + fromMs,
    endMs: word.endMs + fromMs,
  }));
  return { ...event, words };
}
