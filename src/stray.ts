/** Errors that nobody caught: each ends the session it came from, and no other. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Log } from "./log.ts";

/** What errors come from that nobody caught. */
export interface Owner {
  /** Ends what the error came from. */
  fail(error: unknown): void;
}

const owners = new AsyncLocalStorage<Owner>();

/** Runs `work`; errors that it, or anything it starts, lets go uncaught are told to `owner`. */
export function owned<T>(owner: Owner, work: () => T): T {
  return owners.run(owner, work);
}

/** From now on no uncaught error ends the process: its owner is told, or, when it has none, the log. */
export function catchStrayErrors(log: Log): Disposable {
  const stray = (error: unknown) => {
    const owner = owners.getStore();
    if (owner) owner.fail(error);
    else log.error({ error }, "an error that nobody caught, of no session");
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    stray(event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    stray(event.error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      globalThis.removeEventListener("error", onError);
    },
  };
}
