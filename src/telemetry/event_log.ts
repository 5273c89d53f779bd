/** A session's last events, numbered, for readers who come and go. */
import type { SessionEvent } from "../events.ts";

/** `id` counts a session's events from 1, without gaps. */
export interface LoggedEvent {
  readonly id: number;
  readonly event: SessionEvent;
}

export interface EventLog {
  append(event: SessionEvent): void;
  /**
   * The events after `afterId` (default: all that are kept), then those to come, until the log is closed. A reader whose
   * next event is no longer kept goes on with the oldest that is: it sees that by the ids. Readers hold nothing
   * themselves, so a slow one costs no memory.
   */
  read(afterId?: number): ReadableStream<LoggedEvent>;
  /** Ends every reader's stream after the last event. */
  close(): void;
  /** The id of the last event; 0 when there was none. */
  readonly lastId: number;
  /** How many events are no longer kept. */
  readonly dropped: number;
}

/** An empty log that keeps up to `limit` events, the newest. */
export function createEventLog({ limit }: { readonly limit: number }): EventLog {
  const kept: SessionEvent[] = [];
  const waiting = new Set<() => void>();
  let dropped = 0;
  let over = false;

  const wakeAll = () => {
    for (const wake of waiting) wake();
    waiting.clear();
  };
  return {
    append(event) {
      kept.push(event);
      if (kept.length > limit) {
        kept.shift();
        dropped++;
      }
      wakeAll();
    },
    read(afterId = 0) {
      let lastId = Math.min(afterId, dropped + kept.length);
      let wake = () => {};
      return new ReadableStream<LoggedEvent>({
        async pull(controller) {
          for (;;) {
            const id = Math.max(lastId, dropped) + 1;
            const event = kept[id - dropped - 1];
            if (event) {
              lastId = id;
              return controller.enqueue({ id, event });
            }
            if (over) return controller.close();
            await new Promise<void>((resolve) => waiting.add(wake = resolve));
          }
        },
        cancel() {
          waiting.delete(wake);
        },
      }, { highWaterMark: 0 });
    },
    close() {
      over = true;
      wakeAll();
    },
    get lastId() {
      return dropped + kept.length;
    },
    get dropped() {
      return dropped;
    },
  };
}
