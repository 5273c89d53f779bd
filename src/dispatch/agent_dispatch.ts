/**
 * LiveKit's AgentDispatchService (https://docs.livekit.io/reference/agents/agent-dispatch-service-api/), answered from
 * the sessions there are. A session is a dispatch with one job, whatever started it; its id is made from the session's.
 */
import {
  type AgentDispatch,
  CreateAgentDispatchRequest,
  DeleteAgentDispatchRequest,
  ListAgentDispatchRequest,
  ListAgentDispatchResponse,
} from "@livekit/protocol";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { StageError } from "../errors.ts";
import { type SessionArchive, type SessionRecord, wentOn } from "../telemetry/archive.ts";
import { dispatchElsewhere, dispatchIdOf, dispatchOf, sessionIdOf } from "./dispatch_message.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { SessionsElsewhere } from "./elsewhere.ts";
import type { Relay } from "./relay.ts";
import { inWords, type NoSession } from "./results.ts";
import { StoreError } from "./store/store.ts";

/** How a message is written: Twirp has both, and answers as it was asked. */
export type Encoding = "json" | "protobuf";

/** Why a call was not answered; each is an error code of Twirp (https://twitchtv.github.io/twirp/docs/errors.html). */
export type RefusalCode =
  | "malformed"
  | "invalid_argument"
  | "permission_denied"
  | "not_found"
  | "resource_exhausted"
  | "unavailable";

export type ServiceAnswer =
  | { readonly type: "answered"; readonly body: Uint8Array<ArrayBuffer> }
  /** `reason` is in words and may be shown to the client. */
  | { readonly type: "refused"; readonly code: RefusalCode; readonly reason: string };

/** One method: `room` is what the caller is an admin of. Never rejects for what the caller got wrong. */
export type ServiceMethod = (body: Uint8Array, options: MethodOptions) => Promise<ServiceAnswer>;

export interface MethodOptions {
  readonly encoding: Encoding;
  readonly room: string | undefined;
  /** The caller's own, for another process to check. */
  readonly authorization: string;
}

export interface AgentDispatchOptions {
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  readonly archive: Pick<SessionArchive, "list" | "find">;
  /** The sessions of other processes, and what asks for them; without them there are none. */
  readonly elsewhere?: SessionsElsewhere | undefined;
  readonly relay?: Pick<Relay, "ask"> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** LiveKit's clients wait for 10 s, and a session's farewell may take longer. */
const deleteWaitMs = 5_000;
/** The longest name of a room or an agent, in characters. */
const maxName = 256;

/** The methods of the service by name: CreateDispatch, ListDispatch, DeleteDispatch. */
export function agentDispatchService(options: AgentDispatchOptions): ReadonlyMap<string, ServiceMethod> {
  const { dispatcher, archive, elsewhere, relay, clock, log } = options;
  const find = (dispatchId: string, room: string): SessionRecord | undefined => {
    const record = archive.find(sessionIdOf(dispatchId));
    return record && record.facts.room === room && dispatchIdOf(record) === dispatchId ? record : undefined;
  };

  return new Map([
    [
      "CreateDispatch",
      // What only LiveKit's own cloud does is left aside: restart_policy and deployment; and the agent's attributes.
      method(CreateAgentDispatchRequest, async ({ room, agentName, metadata }) => {
        if (agentName.length > maxName) return refused("invalid_argument", tooLong("agent_name"));
        const agent = agentName === "" ? {} : { agent: agentName };
        const result = await dispatcher.dispatch({ room, ...agent, metadata });
        if (!("session" in result)) return refusalOf(result);
        const record = archive.find(result.session.sessionId);
        if (record) return dispatchOf(record);
        if (result.type !== "created") return dispatchElsewhere(result.session);
        return refused("unavailable", "The agent has left already; try again.");
      }),
    ],
    [
      "ListDispatch",
      method(ListAgentDispatchRequest, async ({ room, dispatchId }) => {
        const one = find(dispatchId, room);
        if (one && !wentOn(one)) return new ListAgentDispatchResponse({ agentDispatches: [dispatchOf(one)] });
        const here = archive.list(room).filter(({ ended }) => !ended).map(dispatchOf);
        const all = [...here, ...(await elsewhere?.(room) ?? []).map(dispatchElsewhere)];
        const agentDispatches = dispatchId === "" ? all : all.filter(({ id }) => id === dispatchId);
        return new ListAgentDispatchResponse({ agentDispatches });
      }),
    ],
    [
      "DeleteDispatch",
      method(DeleteAgentDispatchRequest, async ({ room, dispatchId }, { authorization }) => {
        const record = find(dispatchId, room);
        if (!record || wentOn(record)) {
          const ended = await deletedElsewhere(dispatchId, room, authorization);
          if (ended) return ended;
        }
        if (!record) {
          return refused(
            "not_found",
            `There is no dispatch ${JSON.stringify(dispatchId)} in the room ${JSON.stringify(room)}.`,
          );
        }
        if (!record.ended) await deleted(record);
        return dispatchOf(record);
      }),
    ],
  ]);

  /** Has the process that has the session end it; undefined when there is none. */
  async function deletedElsewhere(
    dispatchId: string,
    room: string,
    authorization: string,
  ): Promise<AgentDispatch | undefined> {
    const dispatch = (await elsewhere?.(room) ?? []).map(dispatchElsewhere).find(({ id }) =>
      id === dispatchId
    );
    const sessionId = sessionIdOf(dispatchId);
    const request = {
      method: "DELETE",
      path: `/sessions/${sessionId}`,
      headers: { authorization },
      body: "",
    };
    const answer = dispatch && await relay?.ask(sessionId, request);
    return answer && answer.status < 300 ? dispatch : undefined;
  }

  /** Settles when the session has ended and its report is final, or when that takes too long to wait for. */
  async function deleted({ session, events, lastEventId }: SessionRecord): Promise<void> {
    const tooLong = new AbortController();
    using _timer = clock.after(deleteWaitMs, () => tooLong.abort());
    const end = events(lastEventId).pipeTo(new WritableStream(), { signal: tooLong.signal });
    session?.close("deleted").catch((error) =>
      log.error({ error, sessionId: session?.id }, "a session did not end")
    );
    await end.catch(() => {}); // too long: it goes on ending
  }
}

interface RequestType<T> {
  fromBinary(bytes: Uint8Array): T;
  fromJsonString(text: string, options: { readonly ignoreUnknownFields: boolean }): T;
}

interface Answer {
  toBinary(): Uint8Array;
  toJsonString(options: { readonly useProtoFieldName: boolean; readonly emitDefaultValues: boolean }): string;
}

type Refusal = Extract<ServiceAnswer, { type: "refused" }>;

/** Reads the request, lets `answer` answer it if the caller may ask for its room, and writes the answer. */
function method<T extends { readonly room: string }>(
  type: RequestType<T>,
  answer: (request: T, options: MethodOptions) => Promise<Answer | Refusal>,
): ServiceMethod {
  return async (body, options) => {
    const { encoding, room } = options;
    const request = read(type, body, encoding);
    if (!request) {
      return refused(
        "malformed",
        `The body could not be read; expected the method's request as ${encoding}.`,
      );
    }
    if (request.room === "") return refused("invalid_argument", "room is empty; expected the room's name.");
    if (request.room.length > maxName) return refused("invalid_argument", tooLong("room"));
    if (request.room !== room) {
      return refused(
        "permission_denied",
        `Expected a token with the grants roomAdmin and room ${JSON.stringify(request.room)}.`,
      );
    }
    try {
      const given = await answer(request, options);
      return "reason" in given ? given : { type: "answered", body: write(given, encoding) };
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof StageError)) throw error;
      return refused("unavailable", `It is not known what other processes have: ${error.message}.`);
    }
  };
}

function read<T>(type: RequestType<T>, body: Uint8Array, encoding: Encoding): T | undefined {
  try {
    if (encoding === "protobuf") return type.fromBinary(body);
    return type.fromJsonString(new TextDecoder().decode(body), { ignoreUnknownFields: true });
  } catch {
    return undefined; // whatever is wrong with it, the caller cannot be told more than that
  }
}

/** JSON has the names of the .proto file and every field, as LiveKit's server writes it. */
function write(answer: Answer, encoding: Encoding): Uint8Array<ArrayBuffer> {
  if (encoding === "protobuf") return new Uint8Array(answer.toBinary());
  return new TextEncoder().encode(answer.toJsonString({ useProtoFieldName: true, emitDefaultValues: true }));
}

function refused(code: RefusalCode, reason: string): Refusal {
  return { type: "refused", code, reason };
}

const tooLong = (field: string) => `${field} is too long; expected up to ${maxName} characters.`;

const codes = {
  "unknown-agent": "not_found",
  full: "resource_exhausted",
  draining: "unavailable",
  failed: "unavailable",
} as const;

const refusalOf = (result: NoSession): Refusal => refused(codes[result.type], inWords(result));
