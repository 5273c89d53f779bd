/** One session's connection to OpenAI's Realtime API: https://developers.openai.com/api/docs/guides/realtime-conversations */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { sumTokens, type TokenUsage } from "../llm/llm.ts";
import type { Log } from "../log.ts";
import { openSocket, type Socket, socketError } from "../socket.ts";
import { type Conversation, createConversation } from "./openai_conversation.ts";
import { type ClientEvent, parseEvent, type ServerEvent, type ServerFailure } from "./openai_messages.ts";
import { createResponse, type RealtimeResponse } from "./openai_response.ts";

/** How long a session may take to begin, once there is a connection; milliseconds. */
const beginMs = 5_000;
/** While something is expected it is asked so often whether the server is there, which has so long to say so; milliseconds. */
const liveness = { everyMs: 500, deafMs: 3_000 };
/** A session ends after 60 minutes: from this age on another takes its place when nothing is under way; milliseconds. */
const longestMs = 50 * 60_000;

/** Told what concerns the user's voice. */
export interface Ear {
  /** Something of it is not answered yet. */
  readonly isBusy: boolean;
  /** Settles when all that was said was committed, or `ms` milliseconds have passed. */
  committed(ms: number, options: { readonly clock: Clock; readonly signal: AbortSignal }): Promise<void>;
  note(event: ServerEvent): void;
  /** The connection is gone. */
  lost(error: StageError): void;
  /** It is replaced by another, since a session lasts only so long. */
  expired(error: StageError): void;
}

export interface LineOptions {
  readonly url: string;
  readonly apiKey: string;
  /** The message that makes a session of a connection. */
  readonly settings: ClientEvent;
  readonly clock: Clock;
  readonly log?: Log | undefined;
}

export interface Line {
  /** Connects, unless it is; settles when the session has begun, rejects with a StageError of stage "llm". */
  open(): Promise<void>;
  /** Keeps the connection until that is disposed of; it is closed when nobody does. */
  hold(): Disposable;
  /** As the server has it. */
  readonly conversation: Conversation;
  /** What is heard with, if anything. */
  ear: Ear | undefined;
  send(event: ClientEvent): void;
  ping(): void;
  /** Asks for a response; part of the conversation or not. */
  respond(request: Readonly<Record<string, unknown>>, inConversation: boolean): RealtimeResponse;
  /** It is not wanted any more, and nobody speaks it. */
  cancel(response: RealtimeResponse): void;
  /** Those of the conversation that can be spoken, in order. */
  readonly responses: Set<RealtimeResponse>;
  /** The one that the server is at, in the conversation: it makes no other meanwhile. */
  readonly active: RealtimeResponse | undefined;
  newId(kind: string): string;
}

export function createLine({ url, apiKey, settings, clock, log }: LineOptions): Line {
  let socket: Socket | undefined;
  let opened: PromiseWithResolvers<void> | undefined;
  let openedMs = 0;
  let holders = 0;
  let ids = 0;
  let conversation = createConversation(() => newId("item"));
  const timers: { begin?: Disposable | undefined; beat?: Disposable; deaf?: Disposable | undefined } = {};
  /** Tokens that no answer has told of yet. */
  let unbilled: TokenUsage | undefined;
  const responses = new Set<RealtimeResponse>();
  const underWay = new Map<string, RealtimeResponse>();

  const newId = (kind: string) => `${kind}_${++ids}`;
  const send = (event: ClientEvent) => socket?.send(JSON.stringify(event));
  const fail = (message: string, retryable: boolean, refused = false) =>
    new StageError("llm", message.replaceAll(apiKey, "(hidden)"), { retryable, refused });
  const isBusy = () => underWay.size > 0 || self.ear?.isBusy === true;

  const disconnect = () => {
    for (const timer of Object.values(timers)) timer?.[Symbol.dispose]();
    timers.deaf = undefined;
    socket?.close();
    socket = undefined;
    opened = undefined;
    conversation = createConversation(() => newId("item"));
  };
  /** The connection is of no more use. */
  const lose = (error: StageError) => {
    const failed = [...underWay.values()];
    const waited = opened;
    disconnect();
    underWay.clear();
    waited?.reject(error);
    for (const response of failed) response.fail(error);
    self.ear?.lost(error);
  };
  const heard = () => {
    timers.deaf?.[Symbol.dispose]();
    timers.deaf = undefined;
  };
  const ping = () => {
    socket?.ping();
    const seconds = liveness.deafMs / 1000;
    timers.deaf ??= clock.after(
      liveness.deafMs,
      () => lose(fail(`OpenAI said nothing for ${seconds} s`, true)),
    );
  };
  const beat = () => {
    timers.beat = clock.after(liveness.everyMs, beat);
    if (isBusy()) return ping();
    if (clock.now() - openedMs < longestMs || responses.size > 0) return;
    disconnect();
    self.ear?.expired(fail("OpenAI's sessions end after an hour", true));
  };

  const connect = (): PromiseWithResolvers<void> => {
    const mine = opened = Promise.withResolvers<void>();
    mine.promise.catch(() => {}); // told to whoever waits for it
    openedMs = clock.now();
    socket = openSocket(url, { authorization: `Bearer ${apiKey}` }, {
      open() {
        const late = () => lose(fail(`OpenAI began no session within ${beginMs / 1000} s`, true));
        timers.begin = clock.after(beginMs, late);
        send(settings);
      },
      message(data) {
        heard();
        const event = parseEvent(data);
        if (event) obey(event);
        else lose(fail("OpenAI sent a message that is none", true));
      },
      pong: heard,
      end: (why) => lose(socketError("llm", "OpenAI", why)),
    }, { clock });
    return mine;
  };

  const obey = (event: ServerEvent) => {
    if (event.type === "session.updated") {
      timers.begin?.[Symbol.dispose]();
      timers.begin = undefined;
      beat();
      return opened?.resolve();
    }
    if (event.type === "error") return complain(event.error ?? { message: "an error without a name" });
    if (event.type.startsWith("response.")) return hearOf(event);
    self.ear?.note(event);
  };
  const hearOf = (event: ServerEvent) => {
    const { response: about, response_id = about?.id, item } = event;
    const named = about?.metadata?.id;
    const response = [...underWay.values()].find(({ id, serverId }) =>
      id === named || serverId === response_id
    );
    if (!response) return;
    if (event.type === "response.created") {
      response.serverId = response_id;
      if (response.cancelled) stop(response);
    }
    if (event.type === "response.output_item.added" && item && response.inConversation) {
      if (item.type === "message") conversation.spoke(item.id, () => response.text);
      if (item.type === "function_call") conversation.called(item.id, item.call_id ?? "");
    }
    if (event.type === "response.done") underWay.delete(response.id);
    response.note(event);
  };
  const complain = (error: ServerFailure) => {
    const { type, code, message, event_id } = error;
    const response = underWay.get(event_id ?? "");
    if (response) {
      underWay.delete(response.id);
      return response.fail(fail(`OpenAI failed: ${message}`, type !== "invalid_request_error"));
    }
    const refused = code === "invalid_api_key" || type === "authentication_error";
    if (refused) return lose(fail("OpenAI refused the key: check OPENAI_API_KEY", false, true));
    const lasting = code === "insufficient_quota" || type === "invalid_request_error";
    if (
      timers.begin || code === "insufficient_quota" || code === "session_expired" || type === "server_error"
    ) {
      return lose(fail(`OpenAI failed: ${message}`, code === "session_expired" || !lasting));
    }
    // What it says of items that are gone, and of responses that were over before they were cut off, changes nothing.
    log?.warn({ code, message }, "OpenAI did not do as it was told");
  };
  const stop = ({ serverId }: RealtimeResponse) => {
    if (serverId !== undefined) send({ type: "response.cancel", response_id: serverId });
  };

  const self: Line = {
    ear: undefined,
    responses,
    send,
    ping,
    newId,
    open: () => (opened ?? connect()).promise,
    get conversation() {
      return conversation;
    },
    get active() {
      return underWay.values().find(({ inConversation }) => inConversation);
    },
    hold() {
      holders++;
      let held = true;
      return {
        [Symbol.dispose]() {
          if (held) holders--;
          held = false;
          if (holders === 0) disconnect();
        },
      };
    },
    respond(request, inConversation) {
      const id = newId("response");
      const response = createResponse(id, inConversation, (tokens) => {
        const all = sumTokens<TokenUsage | undefined>(tokens, unbilled);
        unbilled = inConversation ? undefined : all;
        return all;
      });
      underWay.set(id, response);
      if (inConversation) responses.add(response);
      const conversation = inConversation ? "auto" : "none";
      send({
        type: "response.create",
        event_id: id,
        response: { ...request, conversation, metadata: { id } },
      });
      return response;
    },
    cancel(response) {
      responses.delete(response);
      if (response.cancelled || !underWay.has(response.id)) return;
      response.cancelled = true;
      stop(response);
    },
  };
  return self;
}
