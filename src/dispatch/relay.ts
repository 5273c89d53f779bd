/** Requests about sessions of another process: left in the store for whichever has the session, which answers there. */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Store } from "./store/store.ts";

const question = z.object({
  method: z.string(),
  /** With the query. */
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  /** Empty where there is none. */
  body: z.string(),
});

const answer = z.object({
  status: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  /** The process that answers, as Fly.io calls its machine. */
  machine: z.string().exactOptional(),
});

/** An HTTP request, whole. */
export type RelayedRequest = Readonly<z.infer<typeof question>>;
/** Its answer; 421 where the answer would be a stream, which is to be had from `machine` alone. */
export type RelayedAnswer = Readonly<z.infer<typeof answer>>;

export interface Relay extends AsyncDisposable {
  /** What the process answers that knows the session; undefined when none does within 2 s. Rejects with a StoreError. */
  ask(sessionId: string, request: RelayedRequest): Promise<RelayedAnswer | undefined>;
}

export interface RelayOptions {
  readonly store: Pick<Store, "keys" | "get" | "set" | "delete">;
  /** Whether this process knows the session. */
  readonly has: (sessionId: string) => boolean;
  /** Answers a request about a session that it knows. */
  readonly answer: (request: Request) => Response | Promise<Response>;
  readonly machine?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it is looked for questions, and for an answer; milliseconds. */
const lookMs = { questions: 500, answer: 50 };
const patienceMs = 2_000;
/** How long what nobody has taken is kept. */
const ttlMs = 5_000;
/** What is told of an answer beside its body. */
const toldHeaders = ["content-type", "retry-after", "www-authenticate"];

/** Answers what others ask from now on, until it is disposed of. */
export function startRelay(options: RelayOptions): Relay {
  const { store, has, machine, clock, log } = options;
  const over = new AbortController();
  const answering = new Map<string, Promise<void>>();

  const respond = async (key: string, id: string): Promise<void> => {
    const text = await store.get(key);
    if (text === undefined) return;
    await store.delete(key);
    const { method, path, headers, body } = question.parse(JSON.parse(text));
    const request = new Request(new URL(path, "http://relayed"), {
      method,
      headers,
      ...(body !== "" && { body }),
    });
    const answered = {
      ...await read(await options.answer(request)),
      ...(machine !== undefined && { machine }),
    };
    await store.set(`answer:${id}`, JSON.stringify(answered satisfies RelayedAnswer), { ttlMs });
  };

  const look = async (): Promise<void> => {
    for (const key of await store.keys("question")) {
      const [sessionId, id] = z.tuple([z.string(), z.string()]).parse(
        JSON.parse(key.slice(key.indexOf(":") + 1)),
      );
      if (!has(sessionId) || answering.has(id)) continue;
      const work = respond(key, id)
        .catch((error) => log.warn({ error, sessionId }, "a question of another process was not answered"))
        .finally(() => answering.delete(id));
      answering.set(id, work);
    }
  };
  const run = async () => {
    while (!over.signal.aborted) {
      try {
        await look();
      } catch (error) {
        log.debug({ error }, "other processes cannot ask for sessions");
      }
      await clock.sleep(lookMs.questions, { signal: over.signal }).catch(() => {}); // it is over: the loop ends
    }
  };
  const done = run();

  return {
    async ask(sessionId, request) {
      const id = crypto.randomUUID();
      const untilMs = clock.now() + patienceMs;
      await store.set(`question:${JSON.stringify([sessionId, id])}`, JSON.stringify(request), { ttlMs });
      while (clock.now() < untilMs) {
        await clock.sleep(lookMs.answer);
        const text = await store.get(`answer:${id}`);
        if (text !== undefined) return answer.parse(JSON.parse(text));
      }
      return undefined;
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await done;
      await Promise.all(answering.values());
    },
  };
}

/** An answer as it is written down; a stream is not. */
async function read(response: Response): Promise<RelayedAnswer> {
  const told = toldHeaders.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    await response.body?.cancel();
    return { status: 421, headers: {}, body: "" };
  }
  return { status: response.status, headers: Object.fromEntries(told), body: await response.text() };
}
