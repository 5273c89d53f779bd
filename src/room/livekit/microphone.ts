import { AudioStream, type RemoteAudioTrack } from "@livekit/rtc-node";
import { type AudioFrame, durationMs } from "../../audio/frame.ts";
import { liveStream } from "../../audio/live.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { captureTimeline } from "./timeline.ts";

/** What is kept for a reader that is not there yet, milliseconds: a caller's first words while the agent is set up. */
const BUFFER_MS = 2000;
const FORMAT = { sampleRate: 16_000, numChannels: 1, frameSizeMs: 20 };

/** One stream of audio from whichever track is attached. */
export interface Microphone {
  readonly readable: ReadableStream<AudioFrame>;
  /** Milliseconds that were dropped because nobody read them in time. */
  readonly droppedMs: number;
  /** Continues with `track`, in place of the one before. */
  attach(track: RemoteAudioTrack): void;
  /** Lets go of the track; the stream waits for the next. */
  detach(): void;
  close(): void;
}

/** Builds a Microphone; frames are stamped with `clock`. */
export function createMicrophone({ clock, log }: { readonly clock: Clock; readonly log: Log }): Microphone {
  const live = liveStream<AudioFrame>({ limit: BUFFER_MS, size: durationMs });
  const capturedAt = captureTimeline();
  let attached: { readonly track: RemoteAudioTrack; detach(): void } | undefined;

  const read = async (reader: ReadableStreamDefaultReader<{ readonly data: Int16Array }>) => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const samples = next.value.data;
      const arrivedMs = clock.now();
      const frame = { samples, sampleRate: FORMAT.sampleRate, channels: 1, timestampMs: 0 };
      live.push({ ...frame, timestampMs: capturedAt(arrivedMs, durationMs(frame)) });
    }
  };
  const failed = (error: unknown) => log.warn({ error }, "the caller's audio could not be read");
  const detach = () => {
    attached?.detach();
    attached = undefined;
  };

  return {
    readable: live.readable,
    get droppedMs() {
      return live.dropped;
    },
    attach(track) {
      if (attached?.track === track) return;
      detach();
      const reader = new AudioStream(track, FORMAT).getReader();
      attached = { track, detach: () => void reader.cancel().catch(failed) };
      read(reader).catch(failed);
    },
    detach,
    close() {
      detach();
      live.close();
    },
  };
}
