/** One session's connection to its model, which whoever hears, answers and speaks with it share. */
import type { AudioFormat } from "../audio/frame.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { sumTokens, type TokenUsage } from "../llm/llm.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import type { RealtimeConnection, RealtimeProtocol, ResponseRequest, UtteranceEvent } from "./protocol.ts";
import { createResponse, type RealtimeResponse } from "./response.ts";

/** How long a session may take to begin, in milliseconds; the socket gives up before. */
const beginMs = 6_000;
/** While something is expected it is asked so often whether the server is there, which has so long to say so; milliseconds. */
const liveness = { everyMs: 500, deafMs: 3_000 };

/** Told what concerns the user's voice. */
export interface Ear {
  /** Something of it is not answered yet. */
  readonly isBusy: boolean;
  /** Settles when all that was said was committed, or `ms` milliseconds have passed. */
  committed(ms: number, options: { readonly clock: Clock; readonly signal: AbortSignal }): Promise<void>;
  note(event: UtteranceEvent): void;
  /** The connection is gone. */
  lost(error: StageError): void;
  /** It is replaced by another, since a session lasts only so long. */
  expired(error: StageError): void;
}

export interface Line {
  /** As the provider is spelt in errors. */
  readonly provider: string;
  /** What the model hears and speaks. */
  readonly format: AudioFormat;
  /** Less of the user's voice than this cannot be committed, in milliseconds. */
  readonly leastMs: number;
  /** Connects, unless it is; settles when the session has begun, rejects with a StageError of stage "llm". */
  open(): Promise<void>;
  /** Keeps the connection until that is disposed of; it is closed when nobody does. */
  hold(): Disposable;
  /** Undefined while there is none. */
  readonly connection: Pick<RealtimeConnection, "send" | "commit" | "clear" | "edit"> | undefined;
  /** As the server has it. */
  readonly conversation: Conversation;
  /** What is heard with, if anything. */
  ear: Ear | undefined;
  ping(): void;
  respond(request: ResponseRequest): RealtimeResponse;
  /** It is not wanted any more, and nobody speaks it. */
  cancel(response: RealtimeResponse): void;
  /** Those of the conversation that can be spoken, in order. */
  readonly responses: Set<RealtimeResponse>;
  /** The one that the server is at, in the conversation: it makes no other meanwhile. */
  readonly active: RealtimeResponse | undefined;
}

/** A line that is not connected yet. */
export function createLine(protocol: RealtimeProtocol, { clock }: { readonly clock: Clock }): Line {
  const { provider, format, leastMs, longestMs } = protocol;
  let connection: RealtimeConnection | undefined;
  let opened: PromiseWithResolvers<void> | undefined;
  let openedMs = 0;
  let holders = 0;
  let conversation = createConversation();
  const timers: { begin?: Disposable; beat?: Disposable; deaf?: Disposable | undefined } = {};
  /** Tokens that no answer has told of yet. */
  let unbilled: TokenUsage | undefined;
  const responses = new Set<RealtimeResponse>();
  /** Those that the server is at. */
  const underWay = new Set<RealtimeResponse>();

  const retryable = (what: string) => new StageError("llm", `${provider}${what}`, { retryable: true });
  const isBusy = () => underWay.size > 0 || self.ear?.isBusy === true;

  const disconnect = (error: StageError) => {
    for (const timer of Object.values(timers)) timer?.[Symbol.dispose]();
    timers.deaf = undefined;
    connection?.close();
    connection = undefined;
    opened?.reject(error);
    opened = undefined;
    conversation = createConversation();
    for (const response of underWay) response.fail(error);
    underWay.clear();
  };
  /** The connection is of no more use. */
  const lose = (error: StageError) => {
    disconnect(error);
    self.ear?.lost(error);
  };
  const alive = () => {
    timers.deaf?.[Symbol.dispose]();
    timers.deaf = undefined;
  };
  const ping = () => {
    connection?.ping();
    const late = () => lose(retryable(` said nothing for ${liveness.deafMs / 1000} s`));
    timers.deaf ??= clock.after(liveness.deafMs, late);
  };
  const beat = () => {
    timers.beat = clock.after(liveness.everyMs, beat);
    if (isBusy()) return ping();
    if (clock.now() - openedMs < longestMs || responses.size > 0) return;
    const error = retryable("'s sessions last only so long");
    disconnect(error);
    self.ear?.expired(error);
  };
  const connect = (): PromiseWithResolvers<void> => {
    const mine = opened = Promise.withResolvers<void>();
    mine.promise.catch(() => {}); // told to whoever waits for it
    openedMs = clock.now();
    const late = () => lose(retryable(` began no session within ${beginMs / 1000} s`));
    timers.begin = clock.after(beginMs, late);
    connection = protocol.connect({
      begun() {
        timers.begin?.[Symbol.dispose]();
        beat();
        mine.resolve();
      },
      alive,
      utterance: (event) => self.ear?.note(event),
      spoke: (id, response) => conversation.spoke(id, () => response.text),
      called: (id, callId) => conversation.called(id, callId),
      fail: lose,
    });
    return mine;
  };

  const self: Line = {
    provider,
    format,
    leastMs,
    ear: undefined,
    responses,
    ping,
    open: () => (opened ?? connect()).promise,
    get connection() {
      return connection;
    },
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
          if (holders === 0) disconnect(retryable(" is needed no more"));
        },
      };
    },
    respond(request) {
      const inConversation = request.input === undefined;
      const response = createResponse({
        inConversation,
        format,
        count(tokens) {
          const all = sumTokens<TokenUsage | undefined>(tokens, unbilled);
          unbilled = inConversation ? undefined : all;
          return all;
        },
      });
      if (inConversation) responses.add(response);
      underWay.add(response);
      void response.done.then(() => underWay.delete(response));
      connection?.respond(response, request);
      return response;
    },
    cancel(response) {
      responses.delete(response);
      if (response.cancelled || response.isWhole) return;
      response.cancelled = true;
      connection?.cancel(response);
    },
  };
  return self;
}
