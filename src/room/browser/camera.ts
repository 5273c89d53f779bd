/** The page's camera, as a room's video: pictures that the page takes when it is asked to. */
import { abortable, within } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import type { RoomVideo, VideoFrame } from "../room.ts";
import type { ClientMessage, ServerMessage } from "./wire.ts";

/** The pixels of a JPEG file. Rejects with a StageError of stage "room" when it is none. */
export type DecodePicture = (file: Uint8Array) => Promise<VideoFrame>;

export interface PageCamera {
  readonly video: RoomVideo;
  /** Takes in what the page answers; what comes too late is nobody's. */
  answer(message: Extract<ClientMessage, { type: "picture" }>): void;
}

/** How long a picture is waited for, and the least time from one request to the next, in milliseconds. */
const ANSWER_MS = 2_000;
const APART_MS = 1_000;

/** Requests go out by `ask`; whoever wants a picture while one is asked for gets that one. `closed`: the room has ended. */
export function pageCamera({ ask, decode, clock, closed }: {
  readonly ask: (message: ServerMessage) => void;
  readonly decode: DecodePicture;
  readonly clock: Clock;
  readonly closed: AbortSignal;
}): PageCamera {
  const until = { clock, signal: closed };
  let asked = 0;
  let lastMs = -Infinity;
  let waiting: { readonly id: string; readonly take: (jpeg: string | undefined) => void } | undefined;
  let next: Promise<VideoFrame | undefined> | undefined;

  const picture = async () => {
    const restMs = lastMs + APART_MS - clock.now();
    if (restMs > 0) await within(restMs, new Promise<never>(() => {}), until);
    lastMs = clock.now();
    const answer = Promise.withResolvers<void>();
    let jpeg: string | undefined;
    const id = `picture-${++asked}`;
    waiting = {
      id,
      take(file) {
        jpeg = file;
        answer.resolve();
      },
    };
    ask({ type: "picture-request", id });
    await within(ANSWER_MS, answer.promise, until);
    waiting = undefined;
    return jpeg === undefined ? undefined : await decode(Uint8Array.fromBase64(jpeg));
  };

  return {
    video: {
      async frame({ source = "camera", signal }) {
        signal.throwIfAborted();
        if (source !== "camera" || closed.aborted) return undefined;
        next ??= picture().finally(() => next = undefined);
        return await abortable(next, signal);
      },
    },
    answer({ id, jpeg }) {
      if (id === waiting?.id) waiting.take(jpeg);
    },
  };
}
