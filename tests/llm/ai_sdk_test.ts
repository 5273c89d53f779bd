import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
} from "@ai-sdk/provider";
import { StageError } from "../../src/errors.ts";
import { aiSdkLanguageModel } from "../../src/llm/ai_sdk.ts";
import { collect, user } from "./contract.ts";

const usage = {
  inputTokens: { total: 10, noCache: 4, cacheRead: 6, cacheWrite: 0 },
  outputTokens: { total: 2, text: 2, reasoning: 0 },
};

/** A model that says `parts`, and what it was asked. */
function modelOf(parts: readonly LanguageModelV4StreamPart[], error?: Error) {
  const asked: LanguageModelV4CallOptions[] = [];
  const model: LanguageModelV4 = {
    specificationVersion: "v4",
    provider: "acme.chat",
    modelId: "acme-1",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("it only streams")),
    doStream(options) {
      asked.push(options);
      return error ? Promise.reject(error) : Promise.resolve({ stream: ReadableStream.from(parts) });
    },
  };
  return { model, asked };
}

const ask = (model: LanguageModelV4, settings?: Parameters<typeof aiSdkLanguageModel>[1]) =>
  collect(
    aiSdkLanguageModel(model, settings).generate({ messages: [user] }, {
      signal: new AbortController().signal,
    }),
  );

describe("aiSdkLanguageModel()", () => {
  it("lets go of an answer that begins after it was aborted", async () => {
    const answer = Promise.withResolvers<{ stream: ReadableStream<LanguageModelV4StreamPart> }>();
    const model = { ...modelOf([]).model, doStream: () => answer.promise };
    const abort = new AbortController();
    const asked = collect(
      aiSdkLanguageModel(model).generate({ messages: [user] }, { signal: abort.signal }),
    );
    await Promise.resolve(); // it waits for the answer
    abort.abort("over");
    assertEquals((await asked).error, "over");
    const cancelled = Promise.withResolvers<unknown>();
    answer.resolve({ stream: new ReadableStream({ cancel: cancelled.resolve }) });
    assertEquals(await cancelled.promise, "over");
  });

  it("answers with any model, its settings passed on, its thoughts and its provider's own tools left out", async () => {
    const { model, asked } = modelOf([
      { type: "stream-start", warnings: [] },
      { type: "reasoning-delta", id: "0", delta: "Hm." },
      { type: "text-delta", id: "1", delta: "Four." },
      { type: "tool-call", toolCallId: "a", toolName: "search", input: "{}", providerExecuted: true },
      { type: "tool-call", toolCallId: "b", toolName: "look", input: '{"at":"it"}' },
      { type: "tool-call", toolCallId: "c", toolName: "look", input: "{" },
      { type: "finish", finishReason: { unified: "tool-calls", raw: "x" }, usage },
    ]);
    const { events, error } = await ask(model, { temperature: 0.4, seed: 7 });
    assertEquals(error, undefined);
    assertEquals(events, [
      { type: "text", text: "Four." },
      { type: "tool-call", id: "b", name: "look", arguments: { at: "it" } },
      { type: "tool-call", id: "c", name: "look", arguments: undefined, malformed: "{" },
      {
        type: "finish",
        reason: "tool-calls",
        usage: { inputTokens: 10, outputTokens: 2, cachedInputTokens: 6 },
      },
    ]);
    assertEquals([asked[0]?.temperature, asked[0]?.seed], [0.4, 7]);
    const { provider, model: name } = aiSdkLanguageModel(model);
    assertEquals([provider, name], ["acme", "acme-1"]);
  });

  it("is not whole when the model says that it was interrupted", async () => {
    const { error } = await ask(
      modelOf([{ type: "finish", finishReason: { unified: "interrupted", raw: undefined }, usage }]).model,
    );
    assert(error instanceof StageError);
    assertMatch(error.message, /broke off/);
    assertEquals(error.retryable, true);
  });

  it("says that a key is refused", async () => {
    const refused = Object.assign(new Error("no"), { statusCode: 401 });
    const { error } = await ask(modelOf([], refused).model);
    assert(error instanceof StageError);
    assertEquals([error.message, error.refused], ["acme refused the key: check its key", true]);
  });
});
