import { AudioStream, type RemoteAudioTrack } from "@livekit/rtc-node";
import { type AudioFrame, durationMs, samplesIn } from "../../audio/frame.ts";
import { liveStream } from "../../audio/live.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { Gate } from "../gate.ts";
import { captureTimeline } from "./timeline.ts";

/** What is kept for a reader that is not there yet, milliseconds: a caller's first words while the agent is set up. */
const BUFFER_MS = 4_000;
/** As long as a window of the voice's detector: more frames cost more, and none would be heard of sooner. */
const FRAME_MS = 32;
const FORMAT = { sampleRate: 16_000, channels: 1 };

type Reader = ReadableStreamDefaultReader<{ readonly data: Int16Array }>;

/** One stream of audio from whichever track is attached, in real time. */
export interface Microphone {
  readonly readable: ReadableStream<AudioFrame>;
  /** Milliseconds that were dropped because nobody read them in time. */
  readonly droppedMs: number;
  /** Continues with `track`, in place of the one before. */
  attach(track: RemoteAudioTrack): void;
  /** Lets go of the track; silence follows until the next, so that whoever listens sees the speech end. */
  detach(): void;
  close(): void;
}

export interface MicrophoneOptions {
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Log;
}

/** Builds a Microphone; frames are stamped with `clock`, and silent when they are read while the gate is shut. */
export function createMicrophone({ gate, clock, log }: MicrophoneOptions): Microphone {
  const live = liveStream<AudioFrame>({
    limit: BUFFER_MS,
    size: durationMs,
    handing: (frame) => gate.open ? frame : { ...frame, samples: new Int16Array(frame.samples.length) },
  });
  const capturedAt = captureTimeline();
  let attached: { readonly track: RemoteAudioTrack; readonly reader: Reader } | undefined;
  let silence: Disposable | undefined;
  let closed = false;

  const push = (samples: Int16Array) => {
    const arrivedMs = clock.now();
    const timestampMs = capturedAt(arrivedMs, samples.length / FORMAT.sampleRate * 1000);
    live.push({ ...FORMAT, samples, timestampMs });
  };
  const beSilent = () => {
    silence = clock.after(FRAME_MS, () => {
      push(new Int16Array(samplesIn(FRAME_MS, FORMAT)));
      beSilent();
    });
  };
  const failed = (error: unknown) => log.warn({ error }, "the caller's audio could not be read");
  const read = async (reader: Reader) => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) push(next.value.data);
  };
  const letGo = () => {
    silence?.[Symbol.dispose]();
    attached?.reader.cancel().catch(failed);
    attached = undefined;
  };

  return {
    readable: live.readable,
    get droppedMs() {
      return live.dropped;
    },
    attach(track) {
      if (closed || attached?.track === track) return;
      letGo();
      try {
        const reader = openStream(track).getReader();
        attached = { track, reader };
        read(reader).catch(failed);
      } catch (error) {
        failed(error); // the track may be gone by the time its event is handled
        beSilent();
      }
    },
    detach() {
      letGo();
      if (!closed) beSilent();
    },
    close() {
      closed = true;
      letGo();
      live.close();
    },
  };
}

function openStream(track: RemoteAudioTrack): AudioStream {
  return new AudioStream(track, {
    sampleRate: FORMAT.sampleRate,
    numChannels: FORMAT.channels,
    frameSizeMs: FRAME_MS,
  });
}
