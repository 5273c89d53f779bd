/** A store that another process of this machine has, asked over HTTP: a question a request, both in JSON. */
import * as z from "zod";
import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import { type Store, StoreError } from "./store.ts";

const [key, value, kind] = [z.string(), z.string(), z.string()];
const [ttlMs, token] = [z.number(), z.number()];
const fence = z.object({ key, token }).exactOptional();
const lease = z.object({ value, token });
const held = lease.extend({ leftMs: z.number() });

const question = z.discriminatedUnion("ask", [
  z.object({ ask: z.literal("take"), key, value, ttlMs }),
  z.object({ ask: z.literal("renew"), key, token, ttlMs, value: value.exactOptional() }),
  z.object({ ask: z.literal("release"), key, token }),
  z.object({ ask: z.literal("read"), key }),
  z.object({ ask: z.literal("set"), key, value, ttlMs, fence }),
  z.object({ ask: z.literal("get"), key }),
  z.object({ ask: z.literal("delete"), key, fence }),
  z.object({ ask: z.literal("keys"), kind }),
]);
type Question = z.infer<typeof question>;

const taking = z.discriminatedUnion("type", [
  z.object({ type: z.literal("taken"), token }),
  z.object({ type: z.literal("held"), ...lease.shape }),
]);

/** How long an answer may take, milliseconds. */
const answerMs = 1_500;

/** Answers a question of `httpStore`; whoever asks is known. */
export async function answerFrom(store: Store, request: Request): Promise<Response> {
  try {
    const answer = await answerTo(question.parse(await request.json()), store);
    return Response.json({ answer });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return new Response(error.message, { status: 503 });
  }
}

function answerTo(asked: Question, store: Store): Promise<unknown> {
  switch (asked.ask) {
    case "take":
      return store.take(asked.key, asked.value, asked.ttlMs);
    case "renew":
      return store.renew(asked.key, asked.token, asked.ttlMs, asked.value);
    case "release":
      return store.release(asked.key, asked.token);
    case "read":
      return store.read(asked.key);
    case "set":
      return store.set(asked.key, asked.value, asked);
    case "get":
      return store.get(asked.key);
    case "delete":
      return store.delete(asked.key, asked);
    case "keys":
      return store.keys(asked.kind);
  }
}

/** Sends a request with that body to the process that has the store. */
export type AskStore = (body: string, options: { readonly signal: AbortSignal }) => Promise<Response>;

/** The store behind `ask`, which stays its owner's. */
export function httpStore({ ask: send, clock }: { readonly ask: AskStore; readonly clock: Clock }): Store {
  let failedAtMs = -Infinity;

  const ask = async <A>(answer: z.ZodType<A>, asked: Question): Promise<A> => {
    const late = new AbortController();
    const giveUp = () => late.abort(new StoreError(`the store gave no answer within ${answerMs / 1000} s`));
    // In two halves: a process that stood still reads what has come meanwhile before it gives up.
    let timer = clock.after(answerMs / 2, () => timer = clock.after(answerMs / 2, giveUp));
    using _timer = { [Symbol.dispose]: () => timer[Symbol.dispose]() };
    try {
      const response = await send(JSON.stringify(asked), late);
      if (response.status === 503) throw new StoreError(await response.text());
      return answer.parse(z.object({ answer: z.unknown().optional() }).parse(await response.json()).answer);
    } catch (error) {
      failedAtMs = clock.now();
      if (error instanceof StoreError) throw error;
      throw new StoreError(`the store cannot be asked: ${messageOf(error)}`, { cause: error });
    }
  };

  return {
    get reachableMs() {
      return clock.now() - failedAtMs;
    },
    take: (key, value, ttlMs) => ask(taking, { ask: "take", key, value, ttlMs }),
    renew: (key, token, ttlMs, value) =>
      ask(z.boolean(), { ask: "renew", key, token, ttlMs, ...(value !== undefined && { value }) }),
    release: (key, token) => ask(z.boolean(), { ask: "release", key, token }),
    read: (key) => ask(held.optional(), { ask: "read", key }),
    set: (key, value, options) => ask(z.boolean(), { ask: "set", key, value, ...options }),
    get: (key) => ask(z.string().optional(), { ask: "get", key }),
    delete: (key, options) => ask(z.boolean(), { ask: "delete", key, ...options }),
    keys: (kind) => ask(z.array(z.string()), { ask: "keys", kind }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
