import { AudioFrame, type AudioSource } from "@livekit/rtc-node";
import type { AudioDevice } from "../../audio/playout.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { Gate } from "../gate.ts";

/** A LiveKit audio source as a device. The source plays in real time from its own thread: what it holds is computed. */
export function sourceDevice(
  source: AudioSource,
  { gate, clock, log }: { readonly gate: Gate; readonly clock: Clock; readonly log: Log },
): AudioDevice {
  const format = { sampleRate: source.sampleRate, channels: source.numChannels };
  let emptyAtMs = clock.now();
  gate.onShut(() => source.clearQueue());
  return {
    format,
    push(samples) {
      const perChannel = samples.length / format.channels;
      emptyAtMs = Math.max(emptyAtMs, clock.now()) + perChannel / format.sampleRate * 1000;
      if (!gate.open) return source.clearQueue(); // it passes unheard, and takes its time
      source.captureFrame(new AudioFrame(samples, format.sampleRate, format.channels, perChannel))
        .catch((error) => log.warn({ error }, "audio could not be played"));
    },
    clear() {
      emptyAtMs = clock.now();
      source.clearQueue();
    },
    get queuedMs() {
      return Math.max(0, emptyAtMs - clock.now());
    },
  };
}
