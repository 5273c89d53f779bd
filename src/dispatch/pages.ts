/** Sessions with pages: how many, for how long, and which socket goes on with which. */
import type { Agent } from "../agent.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { openConnection, type PageConnection, type PageSocket } from "../room/browser/connection.ts";
import { type BrowserRoom, browserRoom } from "../room/browser/room.ts";
import { type ClientHello, CLOSE_CODE, type PageCloseReason } from "../room/browser/wire.ts";
import { pixelsOf } from "../vision/jpeg.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { Dispatcher, DispatchResult } from "./dispatcher.ts";
import { forwardEvents, openFeed, type PageFeed } from "./page_events.ts";

/** The LiveKit rooms that are the page's own: no other can be joined from it, and it sends its agent there itself. */
export const pageRoomPrefix = "playground-";

export interface PageLimits {
  /** Sessions at a time with pages of one address. */
  readonly perAddress: number;
  /** Sessions with pages at a time. */
  readonly total: number;
  /** How long one session may last, in milliseconds. */
  readonly sessionMs: number;
}

export const PAGE_LIMITS: PageLimits = { perAddress: 4, total: 20, sessionMs: 30 * 60_000 };

export interface Pages {
  /** Serves a page's socket until it closes: a new session, or one to go on with. Never rejects. */
  serve(socket: PageSocket, address: string): Promise<void>;
  /** Takes on the session of a page that talks in a LiveKit room: finds it by its id, and ends it when its time is over. */
  adopt(session: VoiceSession): void;
  /** The adopted session of that id; undefined when there is none, or it has ended. */
  find(sessionId: string): AdoptedSession | undefined;
}

/** What a page reaches of its session outside of the LiveKit room. */
export interface AdoptedSession extends Pick<PageFeed, "read">, Pick<VoiceSession, "interrupt"> {}

/** How long a page may take to say hello, in milliseconds. */
const HELLO_MS = 10_000;

export function createPages(
  { dispatcher, agents, defaultAgent, limits = PAGE_LIMITS, clock, log }: {
    readonly dispatcher: Pick<Dispatcher, "dispatch">;
    /** The registry, and the agent of a page that names none. */
    readonly agents: Readonly<Record<string, Agent>>;
    readonly defaultAgent: string;
    readonly limits?: PageLimits;
    readonly clock: Clock;
    readonly log: Log;
  },
): Pages {
  /** The sessions there are, by what a page shows to go on with one. */
  const sessions = new Map<string, { readonly room: BrowserRoom; readonly address: string }>();

  /** The sessions with pages in LiveKit rooms, by their ids. */
  const adopted = new Map<string, AdoptedSession>();

  const placeFor = (address: string): boolean => {
    const ofAddress = [...sessions.values()].filter((session) => session.address === address).length;
    return sessions.size < limits.total && ofAddress < limits.perAddress;
  };

  const begin = async (connection: PageConnection, hello: ClientHello, address: string) => {
    if (!placeFor(address)) {
      connection.send({ type: "closed", reason: "no-place", text: farewells["no-place"] });
      return connection.close(CLOSE_CODE.noPlace, "no-place");
    }
    const { agent: agentName = defaultAgent } = hello;
    const sees = Object.hasOwn(agents, agentName) && agents[agentName]?.autoSubscribe === "all";
    const resumeToken = crypto.randomUUID();
    const room = browserRoom({
      name: `page-${crypto.randomUUID()}`,
      agentName,
      resumeToken,
      decode: sees ? pixelsOf : undefined,
      clock,
      log: log.child({ address }),
    });
    sessions.set(resumeToken, { room, address });
    room.attach(connection, hello);
    let over: Promise<PageCloseReason> | undefined;
    const result = await dispatcher.dispatch({
      room: room.name,
      agent: agentName,
      join: () => Promise.resolve(room),
      onStart: (session) => over = accompany(session, room),
    });
    const failure = failureIn(result);
    // A session that did not get into its room has ended by now, and said so in its events only.
    const reason = await over;
    if (failure) room.hangUp(failure.reason, failure.text);
    else if (reason) room.hangUp(reason, farewells[reason]);
    sessions.delete(resumeToken);
  };

  /** Ends `session` when it has lasted as long as a page's may; returns whether that has happened. */
  const endInTime = (session: VoiceSession): () => boolean => {
    let late = false;
    const limit = clock.after(limits.sessionMs, () => {
      late = true;
      void session.close();
    });
    session.done.then(() => limit[Symbol.dispose]());
    return () => late;
  };

  /** Tells the page what happens in the session until it ends, and ends it when its time is over. */
  const accompany = async (session: VoiceSession, room: BrowserRoom): Promise<PageCloseReason> => {
    const isLate = endInTime(session);
    await forwardEvents(session, room);
    const reason = await session.done;
    return isLate() ? "time-limit" : reason;
  };

  return {
    adopt(session) {
      endInTime(session);
      const feed = openFeed(session);
      adopted.set(session.id, { read: feed.read, interrupt: () => session.interrupt() });
      void feed.done.then(() => adopted.delete(session.id));
    },
    find: (sessionId) => adopted.get(sessionId),
    async serve(socket, address) {
      const connection = openConnection(socket, { clock, log });
      const hello = await firstHello(connection, clock);
      if (!hello) return connection.close(CLOSE_CODE.policy, "expected a hello first");
      const session = hello.resume === undefined ? undefined : sessions.get(hello.resume);
      if (session) session.room.attach(connection, hello);
      else await begin(connection, hello, address);
    },
  };
}

/** Waits for the first thing a page says; undefined when it is no hello, or does not come. */
async function firstHello(connection: PageConnection, clock: Clock): Promise<ClientHello | undefined> {
  const reader = connection.incoming.getReader();
  using _late = clock.after(HELLO_MS, () => connection.close(CLOSE_CODE.policy, "expected a hello in time"));
  const { value } = await reader.read();
  reader.releaseLock();
  return value?.type === "hello" ? value : undefined;
}

/** What a page is told when its session is over. */
const farewells: Readonly<Record<PageCloseReason, string>> = {
  closed: "The agent ended the conversation.",
  "participant-left": "You left the conversation.",
  "room-deleted": "The conversation was ended.",
  removed: "The agent was removed from the conversation.",
  disconnected: "The connection was lost.",
  deleted: "The conversation was ended by the server's operator.",
  shutdown: "The server is restarting. Start again in a moment.",
  error: "Something failed on the server, and the conversation had to end. The server's log says why.",
  "user-away": "Nothing was said for a while, so the conversation was ended. You can start another.",
  "max-duration": "The conversation has lasted as long as one may. You can start another.",
  "cost-cap": "The conversation has taken as much as one may. You can start another.",
  "handed-over": "The conversation goes on elsewhere.",
  "claim-lost": "Another server has taken the conversation over.",
  "time-limit": "This conversation has reached its time limit. You can start another.",
  "no-place": "Too many conversations are going on. End one, or try again later.",
  failed: "The agent could not be started.",
};

/** Why a dispatch gave no session. */
function failureIn(
  result: DispatchResult,
): { readonly reason: PageCloseReason; readonly text: string } | undefined {
  switch (result.type) {
    case "created":
    case "existing":
      return undefined;
    case "full":
      return { reason: "no-place", text: farewells["no-place"] };
    case "draining":
      return { reason: "shutdown", text: farewells.shutdown };
    case "failed":
      return { reason: "failed", text: `The agent could not be started: ${result.reason}.` };
    case "unknown-agent":
      return {
        reason: "failed",
        text: `There is no agent ${JSON.stringify(result.agent)}; there is ${result.known.join(", ")}.`,
      };
    case "conflict":
      return { reason: "failed", text: farewells.failed };
  }
}
