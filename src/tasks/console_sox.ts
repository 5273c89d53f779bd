/** A terminal's microphone and speaker, by SoX: https://sourceforge.net/projects/sox */
import { type AudioFormat, type AudioFrame, durationMs } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import type { AudioDevice } from "../audio/playout.ts";
import type { Clock } from "../clock.ts";
import { ConfigError } from "../errors.ts";

const heard: AudioFormat = { sampleRate: 16_000, channels: 1 };
const played: AudioFormat = { sampleRate: 24_000, channels: 1 };
/** What SoX itself holds back: 30 ms at 16 kHz. */
const bufferBytes = 960;
/** What SoX was given cannot be taken back: it is fed so far ahead of the listener, in milliseconds. */
const aheadMs = 100;

export interface Sox extends AsyncDisposable {
  readonly device: AudioDevice;
  readonly microphone: ReadableStream<AudioFrame>;
  /** Rejects with a ConfigError when SoX cannot record or play; never settles otherwise. */
  readonly failed: Promise<never>;
}

/** Opens the default microphone and speaker. */
export function startSox(clock: Clock): Sox {
  const over = new AbortController();
  const { signal } = over;
  const start = (program: "rec" | "play", format: AudioFormat) => {
    const raw = [
      "-t",
      "raw",
      "-e",
      "signed-integer",
      "-b",
      "16",
      "-L",
      "-r",
      `${format.sampleRate}`,
      "-c",
      "1",
    ];
    const args = ["-q", "--buffer", `${bufferBytes}`, ...raw, "-"];
    const pipes = program === "rec"
      ? { stdin: "null", stdout: "piped" } as const
      : { stdin: "piped", stdout: "null" } as const;
    try {
      return new Deno.Command(program, { args, ...pipes, stderr: "piped", signal }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new ConfigError(`There is no ${program}; expected SoX to be installed, which brings it.`);
    }
  };
  const [rec, play] = [start("rec", heard), start("play", played)];
  const sounds = liveStream<Uint8Array<ArrayBuffer>>({ limit: Infinity });
  const fed = sounds.readable.pipeTo(play.stdin);
  const failed = Promise.withResolvers<never>();
  const ended = async (what: string, { stderr, status }: Deno.ChildProcess) => {
    const said = await new Response(stderr).text();
    await status;
    if (signal.aborted) return;
    const reason = said.trim().split("\n").at(-1) || "it ended by itself";
    failed.reject(new ConfigError(`SoX cannot ${what}. ${reason}`));
  };
  const all = Promise.allSettled([fed, ended("record", rec), ended("play", play)]);
  return {
    device: pacedDevice(clock, (samples) => sounds.push(new Uint8Array(samples.buffer))),
    microphone: rec.stdout.pipeThrough(frames(clock)),
    failed: failed.promise,
    async [Symbol.asyncDispose]() {
      over.abort();
      sounds.close();
      await all;
    },
  };
}

/** A device that hands samples to `play` at the pace at which they are heard (default: nobody hears them). */
export function pacedDevice(
  clock: Clock,
  play: (samples: Int16Array<ArrayBuffer>) => void = () => {},
): AudioDevice {
  let waiting: Int16Array<ArrayBuffer>[] = [];
  /** When what was handed on has been heard. */
  let endMs = 0;
  let timer: Disposable | undefined;
  const msOf = (samples: Int16Array) => durationMs({ ...played, samples, timestampMs: 0 });
  const givenMs = () => Math.max(0, endMs - clock.now());
  const feed = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    while (givenMs() < aheadMs) {
      const samples = waiting.shift();
      if (!samples) return;
      endMs = clock.now() + givenMs() + msOf(samples);
      play(samples);
    }
    if (waiting.length > 0) timer = clock.after(givenMs() - aheadMs, feed);
  };
  return {
    format: played,
    push(samples) {
      waiting.push(samples);
      feed();
    },
    clear: () => void (waiting = []),
    get queuedMs() {
      return waiting.reduce((sum, samples) => sum + msOf(samples), givenMs());
    },
  };
}

/** Bytes as frames; a sample may lie in two pieces of them. */
function frames(clock: Clock): TransformStream<Uint8Array, AudioFrame> {
  let odd = new Uint8Array();
  return new TransformStream({
    transform(piece, controller) {
      const bytes = new Uint8Array([...odd, ...piece]);
      const samples = new Int16Array(bytes.buffer, 0, bytes.length >> 1);
      odd = bytes.slice(samples.byteLength);
      if (samples.length === 0) return;
      const frame = { ...heard, samples, timestampMs: 0 };
      controller.enqueue({ ...frame, timestampMs: clock.now() - durationMs(frame) });
    },
  });
}
