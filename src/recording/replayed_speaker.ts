/** The speaker of a room that is played again: what it plays is over when it was then. */
import { abortable } from "../abort.ts";
import type { AudioFrame } from "../audio/frame.ts";
import type { Clock } from "../clock.ts";
import type { Playout, Speaker } from "../room/room.ts";
import type { Recording } from "./recording.ts";

/**
 * The same speaker, whose playouts take as long as those of `recording`, in their order: a device that runs dry, or tells late
 * that it has played all, takes longer than the sound does.
 */
export function replayedSpeaker(speaker: Speaker, { entries }: Recording, clock: Clock): Speaker {
  const ends = entries.filter((entry) => entry.type === "speaker-ended" && entry.tookMs !== undefined);
  return {
    format: speaker.format,
    open(options) {
      const playout = speaker.open(options);
      /** When it is over (clock milliseconds), unless it is paused. */
      let overMs = 0;
      let pause: { readonly atMs: number; readonly over: PromiseWithResolvers<void> } | undefined;
      playout.started.then((atMs) => {
        const end = ends.shift();
        if (end?.type === "speaker-ended" && !end.interrupted) overMs = atMs + (end.tookMs ?? 0);
      });
      const wait = async () => {
        while (pause || overMs > clock.now()) {
          if (pause) await abortable(pause.over.promise, options.signal);
          else await clock.sleep(overMs - clock.now(), options);
        }
      };
      return {
        ...overAfter(playout, wait),
        get playedMs() {
          return playout.playedMs;
        },
        pause() {
          pause ??= { atMs: clock.now(), over: Promise.withResolvers() };
          playout.pause();
        },
        resume() {
          if (pause) overMs += clock.now() - pause.atMs;
          pause?.over.resolve();
          pause = undefined;
          playout.resume();
        },
      };
    },
  };
}

/** `playout`, over when `wait()` has settled after it, and cut off when that rejects. */
function overAfter(
  playout: Playout,
  wait: () => Promise<void>,
): Pick<Playout, "writable" | "started" | "done"> {
  const writer = playout.writable.getWriter();
  const done = playout.done.then(async ({ playedMs, interrupted }) => ({
    playedMs,
    interrupted: interrupted || await wait().then(() => false, () => true),
  }));
  return {
    writable: new WritableStream<AudioFrame>({
      write: (frame) => writer.write(frame),
      async close() {
        await writer.close();
        await done;
      },
      abort: (reason) => writer.abort(reason),
    }),
    started: playout.started,
    done,
  };
}
