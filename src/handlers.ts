/** What an agent does when something happens: functions by the types of events. */
import type { AgentContext } from "./agent.ts";
import { isEventType, type SessionEvent, type SessionEventOf } from "./events.ts";
import type { Log } from "./log.ts";

/** Told of events of a type, in their order, once each; what `entry` is handed comes along. */
export type EventHandlers = {
  readonly [Type in SessionEvent["type"]]?: (
    event: SessionEventOf<Type>,
    ctx: AgentContext,
  ) => void | Promise<void>;
};

export interface HandlingOptions {
  /** The handlers, as they are when something happens. */
  readonly handlers: () => EventHandlers | undefined;
  readonly ctx: AgentContext;
  readonly log: Log;
}

/**
 * Calls the handlers, none of which waits for another. Settles when the events are over and every handler has settled; never
 * rejects: what a handler throws is logged.
 */
export async function handleEvents(
  events: ReadableStream<SessionEvent>,
  { handlers, ctx, log }: HandlingOptions,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const handle = async (event: SessionEvent) => {
    // TypeScript does not see that the handler is the one of this event's type.
    const handler = handlers()?.[event.type] as
      | ((event: SessionEvent, ctx: AgentContext) => unknown)
      | undefined;
    await handler?.(event, ctx);
  };
  for await (const event of events) {
    const handled = handle(event)
      .catch((error) => log.error({ error, type: event.type }, "the agent's handler of an event failed"))
      .finally(() => running.delete(handled));
    running.add(handled);
  }
  await Promise.all(running);
}

/** What is wrong with an agent's handlers, if anything is. */
export function problemOfHandlers(handlers: EventHandlers): string | undefined {
  for (const [type, handler] of Object.entries(handlers)) {
    if (!isEventType(type)) {
      return `\`on\` has ${
        JSON.stringify(type)
      }; expected the type of an event, such as "user-speech-committed"`;
    }
    if (typeof handler !== "function") {
      return `on[${JSON.stringify(type)}] is ${typeof handler}; expected a function`;
    }
  }
  return undefined;
}
