import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent } from "../../src/llm/llm.ts";
import { openaiLanguageModel, type OpenAILanguageModelOptions } from "../../src/llm/openai.ts";
import {
  type ChatFault,
  type OpenAIEmulator,
  type OpenAIEmulatorOptions,
  startOpenAIEmulator,
} from "../emulators/openai.ts";

const apiKey = "test-key";
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "What is two and two?" },
] as const;

async function start(options: OpenAIEmulatorOptions = {}, model: Partial<OpenAILanguageModelOptions> = {}) {
  const emulator = await startOpenAIEmulator({
    ttftMs: 1,
    tokenMs: 1,
    answer: () => "It is four.",
    ...options,
  });
  const abort = new AbortController();
  const llm = openaiLanguageModel({ apiKey, baseUrl: emulator.url, ...model });
  const generate = () => llm.generate({ messages }, { signal: abort.signal });
  return { emulator, abort, generate };
}

async function collect(stream: ReadableStream<LanguageEvent>) {
  const events: LanguageEvent[] = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: undefined };
}

/** Settles when the server has seen the client hang up. */
async function hungUp(emulator: OpenAIEmulator): Promise<void> {
  while (emulator.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const { signal } = emulator.requests[0]!;
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
}

describe("OpenAI, answering", () => {
  it("streams the words, and then why it stopped and what it cost", async () => {
    const { emulator, generate } = await start({}, { temperature: 0.2, maxTokens: 99 });
    await using _ = emulator;
    assertEquals(await collect(generate()), {
      events: [
        { type: "text", text: "It " },
        { type: "text", text: "is " },
        { type: "text", text: "four." },
        { type: "finish", reason: "stop", usage: { inputTokens: 50, outputTokens: 3 } },
      ],
      error: undefined,
    });
    assertEquals(emulator.requests[0]?.headers.authorization, "Bearer test-key");
    assertEquals(emulator.requests[0]?.body, {
      model: "gpt-4o-mini",
      temperature: 0.2,
      max_completion_tokens: 99,
      messages: [...messages],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("asks servers of others by the older name of a limit, and names their key", async () => {
    const { emulator, generate } = await start({ apiKey: "another" }, {
      maxTokens: 99,
      provider: "compatible",
      keySource: "COMPATIBLE_API_KEY",
    });
    await using _ = emulator;
    const { error } = await collect(generate());
    assertMatch(String(error), /check COMPATIBLE_API_KEY/);
    assertEquals(emulator.requests[0]?.body.max_tokens, 99);
  });

  const reasons = {
    length: "length",
    content_filter: "content-filter",
    tool_calls: "tool-calls",
    new: "other",
  };
  for (const [finishReason, expected] of Object.entries(reasons)) {
    it(`says why it stopped: ${finishReason}`, async () => {
      const { emulator, generate } = await start({ finishReason });
      await using _ = emulator;
      const { events } = await collect(generate());
      const last = events.at(-1);
      assertEquals(last?.type === "finish" && last.reason, expected);
    });
  }

  const faults: Record<string, { fault: ChatFault; message: RegExp; retryable: boolean; events?: number }> = {
    "a refused key": {
      fault: { type: "status", status: 401, message: `Incorrect API key provided: ${apiKey}` },
      message: /refused the key: check OPENAI_API_KEY/,
      retryable: false,
    },
    "an unknown model": {
      fault: { type: "status", status: 404, code: "model_not_found" },
      message: /no model "gpt-4o-mini"/,
      retryable: false,
    },
    "too many requests": { fault: { type: "status", status: 429 }, message: /rate limit/, retryable: true },
    "a request it does not take": {
      fault: { type: "status", status: 400, message: `bad request of ${apiKey}` },
      message: /bad request/,
      retryable: false,
    },
    "trouble of its own": { fault: { type: "status", status: 503 }, message: /503/, retryable: true },
    "what is not JSON": {
      fault: { type: "malformed", data: "{oops", afterTokens: 1 },
      message: /no proper answer/,
      retryable: true,
      events: 1,
    },
    "an error inside the answer": {
      fault: { type: "malformed", data: '{"error":{"message":"overloaded"}}', afterTokens: 1 },
      message: /overloaded/,
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
  for (const [name, { fault, message, retryable, events: count = 0 }] of Object.entries(faults)) {
    it(`fails in words: ${name}`, async () => {
      const { emulator, generate } = await start({ fault: () => fault });
      await using _ = emulator;
      const { events, error } = await collect(generate());
      assertEquals(events.length, count);
      assert(error instanceof StageError);
      assertEquals([error.stage, error.retryable], ["llm", retryable]);
      assertMatch(error.message, message);
      assert(!Deno.inspect(error).includes(apiKey));
      assertEquals(emulator.requests.length, 1, "nothing is retried here");
    });
  }

  it("fails in words: nobody there", async () => {
    const { emulator, generate } = await start();
    await emulator[Symbol.asyncDispose]();
    const { error } = await collect(generate());
    assert(error instanceof StageError);
    assertEquals(error.retryable, true);
    assertMatch(error.message, /^127\.0\.0\.1:\d+ cannot be reached/);
  });

  for (
    const [name, fault] of Object.entries<ChatFault | undefined>({
      "before the headers": { type: "hang" },
      "before the first word": { type: "headers-only" },
      "between words": { type: "stall", afterTokens: 1 },
    })
  ) {
    it(`hangs up when aborted ${name}`, async () => {
      const { emulator, abort, generate } = await start({ fault: () => fault });
      await using _ = emulator;
      const reader = generate().getReader();
      if (name === "between words") assertEquals((await reader.read()).value, { type: "text", text: "It " });
      const next = reader.read().catch((error) => error);
      while (emulator.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      abort.abort(new DOMException("over", "AbortError"));
      assertEquals(await next, abort.signal.reason);
      await hungUp(emulator);
    });

    it(`hangs up when nobody reads any more, ${name}`, async () => {
      const { emulator, generate } = await start({ fault: () => fault });
      await using _ = emulator;
      const reader = generate().getReader();
      if (name === "between words") await reader.read();
      while (emulator.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      await reader.cancel();
      await hungUp(emulator);
    });
  }

  it("asks nothing when it was aborted before", async () => {
    const { emulator, abort, generate } = await start();
    await using _ = emulator;
    abort.abort("early");
    assertEquals((await collect(generate())).error, "early");
    assertEquals(emulator.requests.length, 0);
  });
});
