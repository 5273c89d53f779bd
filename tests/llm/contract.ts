/** What every language model does, on an emulator of its provider: the tests that they share. */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { ImagePart, LanguageEvent, LanguageModel, LanguageRequest, Message } from "../../src/llm/llm.ts";
import type { AnswerServer, AnswerServerOptions, ChatAnswer, ChatFault } from "../emulators/answer_server.ts";

export const apiKey = "test-key";

export interface Contract<Body> {
  readonly name: string;
  readonly model: string;
  start(options: AnswerServerOptions<Body>): Promise<AnswerServer<Body>>;
  make(
    options: {
      readonly apiKey: string;
      readonly baseUrl: string;
      readonly temperature?: number;
      readonly maxTokens?: number;
    },
  ): LanguageModel;
  /** Where a user finds the key. */
  readonly keySource: string;
  /** The provider's words for ends, and what they mean. */
  readonly reasons: Readonly<Record<string, string>>;
  /** An error as it comes inside an answer. */
  readonly error: string;
}

export const getWeather = {
  name: "getWeather",
  description: "The weather in a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
export const user: Message = { role: "user", content: "How is the weather in Oslo and Rome?" };
export const oslo = { id: "call_oslo", name: "getWeather", arguments: { city: "Oslo" } };
export const rome = { id: "call_rome", name: "getWeather", arguments: { city: "Rome" } };
/** The beginning of a JPEG, and what tells it from others. */
export const picture = (n: number): ImagePart => ({
  type: "image",
  mimeType: "image/jpeg",
  data: btoa(String.fromCharCode(0xff, 0xd8, 0xff, n)),
});
/** All that a conversation can hold. */
export const conversation: readonly Message[] = [
  { role: "system", content: "Be brief." },
  { role: "assistant", content: "Hello!" },
  { ...user, images: [picture(1)] },
  { role: "assistant", content: "Let me see.", toolCalls: [oslo, rome] },
  { role: "tool", callId: oslo.id, content: "Cold.", images: [picture(2)] },
  { role: "tool", callId: rome.id, content: "" },
  {
    role: "assistant",
    content: "",
    toolCalls: [{ id: "c3", name: "ma de up", arguments: undefined, malformed: "{" }],
  },
  { role: "tool", callId: "c3", content: "There is no such tool." },
  { role: "assistant", content: "Cold." },
  { role: "system", content: "Say goodbye." },
];

export async function collect(stream: ReadableStream<LanguageEvent>) {
  const events: LanguageEvent[] = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: undefined };
}

/** Settles when the server has seen the client hang up. */
async function hungUp({ first }: AnswerServer<unknown>): Promise<void> {
  const { signal } = await first;
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Watches `fetch()` until it is disposed of; `answered` settles when headers have come, and were taken in. */
function watchFetch(): Disposable & { readonly answered: Promise<void> } {
  const { fetch } = globalThis;
  const came = Promise.withResolvers<void>();
  globalThis.fetch = async (...request) => {
    const response = await fetch(...request);
    came.resolve();
    return response;
  };
  return {
    answered: came.promise.then(() => setImmediate()),
    [Symbol.dispose]() {
      globalThis.fetch = fetch;
    },
  };
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What comes of `request`, and what was sent. */
export async function ask<Body>(
  { start, make }: Contract<Body>,
  request: LanguageRequest,
  answer: string | ChatAnswer = "It is four.",
  more: AnswerServerOptions<Body> = {},
) {
  await using emulator = await start({ ttftMs: 1, tokenMs: 1, answer: () => answer, ...more });
  const llm = make({ apiKey, baseUrl: emulator.url, temperature: 0.2, maxTokens: 99 });
  const { events, error } = await collect(llm.generate(request, { signal: new AbortController().signal }));
  const text = events.map((event) => event.type === "text" ? event.text : "").join("");
  const calls = events.flatMap((event) => event.type === "tool-call" ? [event] : []);
  return { events, text, calls, error, request: emulator.requests[0], count: emulator.requests.length };
}

const faults: Record<string, { fault: ChatFault; message: RegExp; retryable: boolean; events?: number }> = {
  "an unknown model": { fault: { type: "status", status: 404 }, message: /has no model/, retryable: false },
  "too many requests": { fault: { type: "status", status: 429 }, message: /rate limit/, retryable: true },
  "a request it does not take": {
    fault: { type: "status", status: 400, message: `bad request of ${apiKey}` },
    message: /failed: .*bad request of \(hidden\)/,
    retryable: false,
  },
  "trouble of its own": { fault: { type: "status", status: 503 }, message: /failed: /, retryable: true },
  "what is not JSON": {
    fault: { type: "malformed", data: "{oops", afterTokens: 1 },
    message: /no proper answer/,
    retryable: true,
    events: 1,
  },
  "an answer that breaks off": {
    fault: { type: "end", afterTokens: 2 },
    message: /broke off/,
    retryable: true,
    events: 2,
  },
  "a lost connection": {
    fault: { type: "drop", afterTokens: 2 },
    message: /no proper answer/,
    retryable: true,
    events: 2,
  },
};

/** Tests it. */
export function keeps<Body>(contract: Contract<Body>): void {
  const { name, model, start, make } = contract;
  const messages = [user];

  describe(`${name}, answering`, () => {
    it("streams the words, and then why it stopped and what it cost", async () => {
      const { events, error } = await ask(contract, { messages });
      assertEquals(error, undefined);
      assertEquals(events, [
        { type: "text", text: "It " },
        { type: "text", text: "is " },
        { type: "text", text: "four." },
        { type: "finish", reason: "stop", usage: { inputTokens: 50, outputTokens: 3 } },
      ]);
    });

    for (const [finishReason, expected] of Object.entries(contract.reasons)) {
      it(`says why it stopped: ${finishReason}`, async () => {
        const { events } = await ask(contract, { messages }, "It is four.", { finishReason });
        const last = events.at(-1);
        assertEquals(last?.type === "finish" && last.reason, expected);
      });
    }

    it("is told all that a conversation can hold", async () => {
      const { error, text } = await ask(contract, { messages: conversation, tools: [getWeather] });
      assertEquals([error, text], [undefined, "It is four."]);
    });

    it("is told instructions alone", async () => {
      const { error } = await ask(contract, { messages: [{ role: "system", content: "Greet the user." }] });
      assertEquals(error, undefined);
    });
  });

  describe(`${name}, calling tools`, () => {
    it("says what it says, then calls, then why it stopped", async () => {
      const { events, calls } = await ask(contract, { messages, tools: [getWeather] }, {
        text: "Let me look.",
        calls: [oslo, rome],
      });
      assertEquals(events.map(({ type }) => type), [
        "text",
        "text",
        "text",
        "tool-call",
        "tool-call",
        "finish",
      ]);
      assertEquals(calls.map(({ name, arguments: given }) => [name, given]), [
        ["getWeather", { city: "Oslo" }],
        ["getWeather", { city: "Rome" }],
      ]);
      assertEquals(new Set(calls.map(({ id }) => id)).size, 2);
      const last = events.at(-1);
      assertEquals(last?.type === "finish" && last.reason, "tool-calls");
    });

    it("calls without words", async () => {
      const { events } = await ask(contract, { messages, tools: [getWeather] }, { calls: [oslo] });
      assertEquals(events.map(({ type }) => type), ["tool-call", "finish"]);
    });

    it("makes no call of an answer that breaks off", async () => {
      const answer = { text: "Let me look.", calls: [oslo] };
      const fault = (): ChatFault => ({ type: "end", afterTokens: 3 });
      const { events, error } = await ask(contract, { messages, tools: [getWeather] }, answer, { fault });
      assertEquals(events.map(({ type }) => type), ["text", "text", "text"]);
      assertMatch(String(error), /broke off/);
    });

    for (const toolChoice of ["auto", "none", "required", { name: "getWeather" }] as const) {
      it(`chooses: ${JSON.stringify(toolChoice)}`, async () => {
        const { error } = await ask(contract, { messages, tools: [getWeather], toolChoice });
        assertEquals(error, undefined);
      });
    }

    it("is sent neither tools nor a choice when there are none", async () => {
      const { error } = await ask(contract, { messages, tools: [], toolChoice: "required" });
      assertEquals(error, undefined);
    });

    it("is refused a history in which a call has no result", async () => {
      const { error } = await ask(contract, {
        messages: [user, { role: "assistant", content: "", toolCalls: [oslo] }, {
          ...user,
          content: "Well?",
        }],
        tools: [getWeather],
      });
      assert(error instanceof StageError);
      assertEquals([error.retryable, error.refused], [false, false]);
    });
  });

  describe(`${name}, failing`, () => {
    const all: typeof faults = {
      ...faults,
      "an error inside the answer": {
        fault: { type: "malformed", data: contract.error, afterTokens: 1 },
        message: /failed: .*overloaded/i,
        retryable: true,
        events: 1,
      },
    };
    for (const [what, { fault, message, retryable, events: count = 0 }] of Object.entries(all)) {
      it(`fails in words: ${what}`, async () => {
        const { events, error, count: asked } = await ask(contract, { messages }, "It is four.", {
          fault: () => fault,
        });
        assert(error instanceof StageError);
        assertMatch(error.message, message);
        assertEquals(events.length, count);
        assertEquals([error.stage, error.retryable, error.refused], ["llm", retryable, false]);
        assert(!Deno.inspect(error).includes(apiKey));
        assertEquals(asked, 1, "nothing is retried here");
      });
    }

    it("says that its key is refused", async () => {
      const { error } = await ask(contract, { messages }, "", { apiKey: "another" });
      assert(error instanceof StageError);
      assertEquals([error.retryable, error.refused], [false, true]);
      assertMatch(
        error.message,
        new RegExp(`^127\\.0\\.0\\.1:\\d+ refused the key: check ${contract.keySource}$`),
      );
    });

    it("says that nobody is there", async () => {
      const emulator = await start({});
      await emulator[Symbol.asyncDispose]();
      const llm = make({ apiKey, baseUrl: emulator.url });
      const { error } = await collect(llm.generate({ messages }, { signal: new AbortController().signal }));
      assert(error instanceof StageError);
      assertMatch(error.message, /^127\.0\.0\.1:\d+ cannot be reached$/);
      assertEquals(error.retryable, true);
    });
  });

  describe(`${name}, cut off`, () => {
    const moments: [when: string, fault: ChatFault][] = [
      ["before the headers", { type: "hang" }],
      ["before the first word", { type: "headers-only" }],
      ["between words", { type: "stall", afterTokens: 1 }],
    ];
    for (const [when, fault] of moments) {
      for (const how of ["aborted", "cancelled"] as const) {
        it(`hangs up when ${how} ${when}`, async () => {
          await using emulator = await start({ ttftMs: 1, tokenMs: 1, fault: () => fault });
          using watched = watchFetch();
          const abort = new AbortController();
          const llm = make({ apiKey, baseUrl: emulator.url });
          const reader = llm.generate({ messages }, { signal: abort.signal }).getReader();
          if (when === "between words") assertEquals((await reader.read()).value?.type, "text");
          await (fault.type === "hang" ? emulator.first : watched.answered);
          if (how === "cancelled") await reader.cancel();
          else {
            const next = reader.read().catch((error: unknown) => error);
            abort.abort(new DOMException("over", "AbortError"));
            assertEquals(await next, abort.signal.reason);
          }
          await hungUp(emulator);
        });
      }
    }

    it("hangs up though the garbage was collected", async () => {
      await using emulator = await start({ fault: () => ({ type: "headers-only" }) });
      using watched = watchFetch();
      const abort = new AbortController();
      const llm = make({ apiKey, baseUrl: emulator.url });
      const answer = collect(llm.generate({ messages }, { signal: abort.signal }));
      await watched.answered;
      collectGarbage();
      abort.abort("over");
      assertEquals((await answer).error, "over");
      await hungUp(emulator);
    });

    it("asks nothing when it was aborted before", async () => {
      await using emulator = await start({});
      const llm = make({ apiKey, baseUrl: emulator.url });
      const { error } = await collect(llm.generate({ messages }, { signal: AbortSignal.abort("early") }));
      assertEquals(error, "early");
      assertEquals(emulator.requests.length, 0);
      assertEquals(llm.model, model);
    });
  });
}
