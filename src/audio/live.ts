/** A source that does not wait for its reader: what is not read in time is dropped, the oldest first. */

/** A readable stream that is fed by hand. */
export interface LiveStream<T> {
  readonly readable: ReadableStream<T>;
  /** Hands on `item`; the oldest that wait are dropped when there is no room. Does nothing once the stream is over. */
  push(item: T): void;
  /** Ends the stream after what is waiting. */
  close(): void;
  /** Fails the stream at once; what is waiting is lost. */
  error(reason: unknown): void;
  /** The size of all that was dropped because nobody read it in time. */
  readonly dropped: number;
}

/**
 * A stream that holds items up to `limit` in total, each as large as `size` says: 1 by default, so that `limit` counts
 * items; milliseconds for audio. `handing`: what is handed on of an item when it is read. `onCancel` runs when the reader gives up.
 */
export function liveStream<T extends object>(
  { limit, size = () => 1, handing = (item) => item, onCancel }: {
    readonly limit: number;
    readonly size?: (item: T) => number;
    readonly handing?: (item: T) => T;
    readonly onCancel?: () => void;
  },
): LiveStream<T> {
  const waiting: T[] = [];
  let held = 0;
  let dropped = 0;
  /** "wanted": a read is waiting for an item; "closing": open until what is waiting was read. */
  let state: "idle" | "wanted" | "closing" | "over" = "idle";
  let controller: ReadableStreamDefaultController<T>;

  const take = (): T | undefined => {
    const item = waiting.shift();
    if (item) held -= size(item);
    return item;
  };
  const end = () => {
    state = "over";
    waiting.length = 0;
  };
  const readable = new ReadableStream<T>({
    start(given) {
      controller = given;
    },
    pull() {
      const item = take();
      if (item) controller.enqueue(handing(item));
      else state = "wanted";
      if (state === "closing" && waiting.length === 0) finish();
    },
    cancel() {
      end();
      onCancel?.();
    },
  }, { highWaterMark: 0 }); // what waits, waits here, where it can still be dropped
  const finish = () => {
    end();
    controller.close();
  };

  return {
    readable,
    push(item) {
      if (state === "wanted") {
        state = "idle";
        controller.enqueue(handing(item));
      } else if (state === "idle") {
        waiting.push(item);
        held += size(item);
        while (held > limit) {
          const oldest = take();
          if (!oldest) break;
          dropped += size(oldest);
        }
      }
    },
    close() {
      if (state === "over" || state === "closing") return;
      state = "closing";
      if (waiting.length === 0) finish();
    },
    error(reason) {
      if (state === "over") return;
      end();
      controller.error(reason);
    },
    get dropped() {
      return dropped;
    },
  };
}
