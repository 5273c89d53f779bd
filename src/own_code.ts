/** The agents' own code: their entries, what they do at the end of a call, and what they are told of failures. */
import { within } from "./abort.ts";
import type { Agent, AgentContext } from "./agent.ts";
import type { Clock } from "./clock.ts";
import { asStageError, type StageError } from "./errors.ts";
import type { CloseReason } from "./events.ts";
import type { Handling } from "./handlers.ts";
import type { Log } from "./log.ts";
import type { Room } from "./room/room.ts";
import type { VoiceSession } from "./voice_session.ts";

/** How long an agent may take to find its words when a session is gone on with, in milliseconds. */
const lineMs = 1_000;
/** All shutdown callbacks of a session together get this long. */
const farewellMs = 10_000;

export interface OwnCodeOptions {
  readonly session: VoiceSession;
  readonly handling: Pick<Handling, "use">;
  /** What the dispatch carried. */
  readonly metadata: string;
  /** The identity to talk with. */
  readonly participant?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Whether the agent in charge has code that is run where the session goes on. */
  readonly goesOn: () => boolean;
  /** Told of failures of it that the session survives. */
  readonly onError: (error: StageError) => void;
}

export interface OwnCode {
  /** Runs the entry of `agent`. `from`: who handed over to it; `onWait` is told when it waits for somebody. */
  enter(
    agent: Agent,
    about: { readonly room: Room; readonly from?: string | undefined; readonly onWait?: () => void },
  ): Promise<void>;
  /**
   * Runs what `agent` does in place of its entry when a session is gone on with; settles, within a second, with what it
   * says then, if it says so. Never rejects.
   */
  resume(agent: Agent, about: { readonly room: Room }): Promise<string | undefined>;
  /** Tells `agent` of a failure; what it throws at that is logged. */
  tell(agent: Agent, error: StageError): void;
  /** Runs the shutdown callbacks; settles within 10 s. */
  sayFarewell(reason: CloseReason): Promise<void>;
}

export function createOwnCode(
  { session, handling, metadata, participant, clock, log, signal, goesOn, onError }: OwnCodeOptions,
): OwnCode {
  const farewells: ((reason: CloseReason) => void | Promise<void>)[] = [];
  /** What `agent`, who is in charge from now on, is handed. */
  const handed = (agent: Agent, { room, from, onWait }: Parameters<OwnCode["enter"]>[1]): AgentContext => {
    const context: AgentContext = {
      room,
      session,
      metadata,
      ...(from !== undefined && { from }),
      signal,
      waitForParticipant(identity = participant) {
        onWait?.();
        return room.waitForParticipant(identity, { signal });
      },
      addShutdownCallback: (callback) => void farewells.push(callback),
    };
    handling.use(agent, context);
    return context;
  };
  return {
    async enter(agent, about) {
      const context = handed(agent, about);
      await agent.entry?.(context);
    },
    async resume(agent, about) {
      const context = handed(agent, about);
      const { resumed } = agent;
      if (typeof resumed !== "function") return resumed;
      let line: string | undefined;
      const find = async () => {
        try {
          line = await resumed(context) ?? undefined;
        } catch (error) {
          if (!signal.aborted) onError(asStageError("agent", error));
        }
      };
      await within(lineMs, find(), { clock, signal });
      return line;
    },
    tell(agent, error) {
      const tell = async () => await agent.onError?.(error);
      tell().catch((error) => log.error({ error }, "the agent's onError failed"));
    },
    async sayFarewell(reason) {
      if (farewells.length === 0) return;
      if (reason === "handed-over" && goesOn()) return; // they are run where the session ends
      const run = async (callback: (reason: CloseReason) => void | Promise<void>) => await callback(reason);
      const timeout = Promise.withResolvers<void>();
      using _ = clock.after(farewellMs, timeout.resolve);
      const said = farewells.map((callback) =>
        run(callback).catch((error) => onError(asStageError("agent", error)))
      );
      await Promise.race([Promise.all(said), timeout.promise]);
    },
  };
}
