/** What an agent does when something happens: functions by the types of events. */
import type { AgentContext } from "./agent.ts";
import type { Clock } from "./clock.ts";
import { eventTypes, type SessionEvent, type SessionEventOf } from "./events.ts";
import type { Log } from "./log.ts";

/** Told of events of a type, each once and in their order, with what `entry` is handed. A promise that one returns is owned. */
export type EventHandlers = {
  readonly [Type in SessionEvent["type"]]?: (event: SessionEventOf<Type>, ctx: AgentContext) => unknown;
};

/** A handler of the event that it is called with, which TypeScript does not see. */
type AnyHandler = (event: SessionEvent, ctx: AgentContext) => unknown;

export interface Handling {
  /** From now on the handlers are those of `agent`; before, there are none. */
  use(agent: { readonly on?: EventHandlers }, ctx: AgentContext): void;
  /** Calls the handler that there is for `event`, as soon as what is being done now is done. Never throws. */
  handle(event: SessionEvent): void;
  /** Calls `then` when every handler has settled, at once if none is at work; after `ms` milliseconds in any case. */
  whenIdle(ms: number, then: () => void): void;
}

/** Calls the handlers of the agent in charge. None waits for another; what one throws is logged. */
export function createHandling({ clock, log }: { readonly clock: Clock; readonly log: Log }): Handling {
  const running = new Set<Promise<void>>();
  let inCharge: { readonly on: EventHandlers | undefined; readonly ctx: AgentContext } | undefined;
  const call = async (handler: AnyHandler, event: SessionEvent, ctx: AgentContext) => {
    await Promise.resolve(); // it may do something to the session, which is in the middle of something
    await handler(event, ctx);
  };
  return {
    use({ on }, ctx) {
      inCharge = { on, ctx };
    },
    handle(event) {
      const handler = inCharge?.on?.[event.type] as AnyHandler | undefined;
      if (!inCharge || !handler) return;
      const handled = call(handler, event, inCharge.ctx)
        .catch((error) => log.error({ error, type: event.type }, "the agent's handler of an event failed"))
        .finally(() => running.delete(handled));
      running.add(handled);
    },
    whenIdle(ms, then) {
      if (running.size === 0) return then();
      const timer = clock.after(ms, () => {
        log.warn({ ms }, "handlers of events did not end with their session");
        then();
      });
      void Promise.all(running).then(() => {
        timer[Symbol.dispose]();
        then();
      });
    },
  };
}

/** The same handlers, handed what `change` makes of their context. */
export function withContext(on: EventHandlers, change: (ctx: AgentContext) => AgentContext): EventHandlers {
  const changed = Object.entries(on).map(([type, handler]) => {
    const same: AnyHandler = (event, ctx) => (handler as AnyHandler)(event, change(ctx));
    return [type, same];
  });
  return Object.fromEntries(changed);
}

/** What is wrong with an agent's handlers, if anything is. */
export function problemOfHandlers(on: EventHandlers): string | undefined {
  for (const [type, handler] of Object.entries(on)) {
    const name = JSON.stringify(type);
    if (!eventTypes.has(type)) {
      return `on has ${name}; expected types of events, such as "user-speech-committed"`;
    }
    if (typeof handler !== "function") return `on[${name}] is ${typeof handler}; expected a function`;
  }
  return undefined;
}
