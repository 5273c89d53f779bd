/** A source that waits for its reader: all that comes is read, in order, and a failure only after what came before it. */
export interface Queue<T> {
  readonly readable: ReadableStream<T>;
  /** Hands on `item`; does nothing once the queue has ended. */
  push(item: T): void;
  /** Ends it after what waits; with `failure`, by failing with its error. */
  end(failure?: { readonly error: unknown }): void;
}

/** An empty queue; `onCancel` runs when the reader gives up. */
export function createQueue<T>(onCancel: (reason: unknown) => void = () => {}): Queue<T> {
  const waiting: T[] = [];
  let ended: { readonly failure: { readonly error: unknown } | undefined } | undefined;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const readable = new ReadableStream<T>({
    async pull(controller) {
      while (waiting.length === 0 && !ended) await changed.promise;
      if (waiting.length > 0) controller.enqueue(waiting.shift() as T);
      else if (ended?.failure) controller.error(ended.failure.error);
      else controller.close();
    },
    cancel(reason) {
      ended = { failure: undefined };
      waiting.length = 0;
      onCancel(reason);
    },
  }, { highWaterMark: 0 }); // what waits, waits here, where a failure does not take it along
  return {
    readable,
    push(item) {
      if (ended) return;
      waiting.push(item);
      change();
    },
    end(failure) {
      ended ??= { failure };
      change();
    },
  };
}
