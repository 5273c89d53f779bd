/** The agent's voice over any device that plays samples: pacing, pause and resume at the sample, abort. */
import type { Clock } from "../clock.ts";
import type { Playout, Speaker } from "../room/room.ts";
import { type AudioFormat, type AudioFrame, samplesIn } from "./frame.ts";

/** What plays samples: a LiveKit audio source, a browser's socket, a test's memory. */
export interface AudioDevice {
  readonly format: AudioFormat;
  /** Plays `samples` after those it holds, and may keep the array. Failures are the device's own to report. */
  push(samples: Int16Array<ArrayBuffer>): void;
  /** Discards what was pushed and not yet played. */
  clear(): void;
  /** Milliseconds that were pushed and not yet played. */
  readonly queuedMs: number;
}

/** A speaker that counts the gaps in its replies. */
export interface DeviceSpeaker extends Speaker {
  /** How often the device ran dry inside a reply because the audio came too late. */
  readonly underruns: number;
}

/** How far ahead of the listener the device is fed: a stall of the event loop of this length is not heard. */
const AHEAD_MS = 400;
/** The most that is pushed at once: each push is a native call or a message. */
const CHUNK_MS = 100;
/** The first piece of a reply is short, so that it leaves at once. */
const FIRST_CHUNK_MS = 20;
/** How long a pause fades out and a resumption fades in: a cut inside a wave is heard as a click. */
const FADE_MS = 5;

/** A Speaker on `device`. It never blocks the writer longer than the audio takes, and never after an abort. */
export function createSpeaker(device: AudioDevice, { clock }: { readonly clock: Clock }): DeviceSpeaker {
  let underruns = 0;
  return {
    format: device.format,
    get underruns() {
      return underruns;
    },
    open: ({ signal }) => openPlayout(device, clock, signal, () => underruns++),
  };
}

function openPlayout(
  device: AudioDevice,
  clock: Clock,
  signal: AbortSignal,
  onUnderrun: () => void,
): Playout {
  const { format } = device;
  const audio = rewindable();
  const started = Promise.withResolvers<number>();
  const done = Promise.withResolvers<{ playedMs: number; interrupted: boolean }>();
  let state: "playing" | "paused" | "over" = "playing";
  let closing = false;
  /** Whether the device should hold audio of ours now: if it does not, it ran dry. */
  let flowing = false;
  let timer: Disposable | undefined;
  let wakeWriter = (): void => {};

  const msOf = (samples: number) => samples / format.channels / format.sampleRate * 1000;
  /** The sample that is being played now. */
  const heard = () => Math.max(0, audio.position - samplesIn(device.queuedMs, format));

  const push = () => {
    const samples = audio.read(samplesIn(audio.position === 0 ? FIRST_CHUNK_MS : CHUNK_MS, format));
    if (flowing && device.queuedMs === 0) onUnderrun();
    if (audio.position === samples.length) started.resolve(clock.now());
    device.push(samples);
    flowing = true;
    audio.forget(heard());
  };

  /** Does what is due, then sets the timer for what comes next. Called whenever anything has changed. */
  const step = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    if (state !== "playing") return;
    while (audio.unread > 0 && device.queuedMs <= AHEAD_MS - CHUNK_MS) push();
    if (audio.unread < samplesIn(CHUNK_MS, format)) wakeWriter();
    if (audio.unread > 0) stepIn(device.queuedMs - (AHEAD_MS - CHUNK_MS));
    else if (closing && device.queuedMs > 0) stepIn(device.queuedMs);
    else if (closing) end(false);
  };
  const stepIn = (ms: number) => {
    timer = clock.after(Math.max(1, ms), step);
  };

  const stopDevice = () => {
    if (audio.position === 0) return; // it has nothing of this
    audio.seek(heard());
    device.clear();
    flowing = false;
  };
  const fade = (from: number, to: number) => {
    const samples = audio.read(samplesIn(FADE_MS, format));
    samples.forEach((sample, at) => samples[at] = sample * (from + (to - from) * at / samples.length));
    device.push(samples);
  };
  const end = (interrupted: boolean) => {
    if (state === "over") return;
    if (interrupted) stopDevice();
    state = "over";
    step();
    wakeWriter();
    signal.removeEventListener("abort", cut);
    done.resolve({ playedMs: msOf(audio.position), interrupted });
  };
  const cut = () => end(true);

  const writable = new WritableStream<AudioFrame>({
    async write(frame) {
      if (state === "over") return;
      if (frame.sampleRate !== format.sampleRate || frame.channels !== format.channels) {
        cut();
        throw new TypeError(
          `speaker: got audio of ${frame.sampleRate} Hz × ${frame.channels}; expected ${format.sampleRate} Hz × ${format.channels}`,
        );
      }
      audio.append(frame.samples);
      const taken = new Promise<void>((resolve) => wakeWriter = resolve);
      step();
      await taken;
    },
    async close() {
      closing = true;
      step();
      await done.promise;
    },
    abort: cut,
  }, { highWaterMark: 1 });

  if (signal.aborted) cut();
  else signal.addEventListener("abort", cut, { once: true });

  return {
    writable,
    started: started.promise,
    done: done.promise,
    get playedMs() {
      return msOf(state === "playing" ? heard() : audio.position);
    },
    pause() {
      if (state !== "playing") return;
      stopDevice();
      if (audio.position > 0) fade(1, 0);
      state = "paused";
      step();
    },
    resume() {
      if (state !== "paused") return;
      state = "playing";
      if (audio.position > 0) fade(0, 1);
      step();
    },
  };
}

/** Samples in order that can be read again from any point not yet forgotten; positions count samples from the first. */
function rewindable() {
  let kept: Int16Array[] = [];
  let start = 0;
  let position = 0;
  let end = 0;
  return {
    get position() {
      return position;
    },
    get unread() {
      return end - position;
    },
    append(samples: Int16Array) {
      kept.push(samples);
      end += samples.length;
    },
    /** The next samples, at most `count` of them. */
    read(count: number): Int16Array<ArrayBuffer> {
      const out = new Int16Array(Math.min(count, end - position));
      let filled = 0;
      let at = start;
      for (const samples of kept) {
        const skip = position + filled - at;
        if (skip < samples.length) {
          const part = samples.subarray(skip, skip + out.length - filled);
          out.set(part, filled);
          filled += part.length;
        }
        if (filled === out.length) break;
        at += samples.length;
      }
      position += filled;
      return out;
    },
    seek(to: number) {
      position = Math.min(end, Math.max(start, to));
    },
    /** Frees what lies wholly before `before`. */
    forget(before: number) {
      let whole = 0;
      for (const samples of kept) {
        if (start + samples.length > before) break;
        start += samples.length;
        whole++;
      }
      if (whole > 0) kept = kept.slice(whole);
    },
  };
}
