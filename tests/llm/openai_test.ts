import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { openaiLanguageModel } from "../../src/llm/openai.ts";
import { type ChatBody, startOpenAIEmulator } from "../emulators/openai.ts";
import { apiKey, ask, type Contract, keeps } from "./contract.ts";

const model = "gpt-4o-mini";
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "What is two and two?" },
] as const;

const contract: Contract<ChatBody> = {
  name: "OpenAI",
  model,
  start: startOpenAIEmulator,
  make: openaiLanguageModel,
  keySource: "OPENAI_API_KEY",
  reasons: {
    length: "length",
    content_filter: "content-filter",
    tool_calls: "tool-calls",
    new: "other",
  },
  error: '{"error":{"message":"overloaded"}}',
};

keeps(contract);

describe("OpenAI, on the wire", () => {
  it("is asked with the key, for what it costs as well", async () => {
    const { request } = await ask(contract, { messages });
    assertEquals(request?.headers.authorization, `Bearer ${apiKey}`);
    assertEquals(request?.body, {
      model,
      temperature: 0.2,
      max_completion_tokens: 99,
      messages: [...messages],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("asks servers of others by the older name of a limit, and names their key", async () => {
    const compatible: typeof contract = {
      ...contract,
      make: (options) =>
        openaiLanguageModel({ ...options, provider: "compatible", keySource: "COMPATIBLE_API_KEY" }),
    };
    const { error, request } = await ask(compatible, { messages }, "", { apiKey: "another" });
    assertMatch(String(error), /check COMPATIBLE_API_KEY/);
    assertEquals(request?.body.max_tokens, 99);
  });

  it("names the model that it does not have", async () => {
    const fault = { type: "status", status: 404, code: "model_not_found" } as const;
    const { error } = await ask(contract, { messages }, "", { fault: () => fault });
    assertMatch(String(error), /no model "gpt-4o-mini"/);
  });
});
