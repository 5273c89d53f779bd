import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { anthropicLanguageModel } from "../../src/llm/anthropic.ts";
import { startAnthropicEmulator } from "../emulators/anthropic.ts";
import { type AnthropicBody, type AnthropicMessage, refusalOf } from "../emulators/anthropic_requests.ts";
import { ask, type Contract, conversation, getWeather, keeps, picture, user } from "./contract.ts";

const model = "claude-haiku-4-5";

const contract: Contract<AnthropicBody> = {
  name: "Anthropic",
  model,
  start: startAnthropicEmulator,
  make: (options) => anthropicLanguageModel({ model, ...options }),
  keySource: "ANTHROPIC_API_KEY",
  reasons: { max_tokens: "length", refusal: "content-filter", stop_sequence: "stop", new: "other" },
  error: '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
};

keeps(contract);

describe("Anthropic, on the wire", () => {
  it("is sent the conversation in turns that alternate", async () => {
    const { request } = await ask(contract, { messages: conversation, tools: [getWeather] });
    const image = (n: number) => ({
      type: "image",
      source: { type: "base64", media_type: "image/jpeg", data: picture(n).data },
    });
    const text = (text: string) => ({ type: "text", text });
    const result = (tool_use_id: string, content: string) => ({ type: "tool_result", tool_use_id, content });
    const call = (id: string, name: string, input: unknown) => ({ type: "tool_use", id, name, input });
    assertEquals(request?.body, {
      model,
      max_tokens: 99,
      temperature: 0.2,
      stream: true,
      thinking: { type: "disabled" },
      system: [text("Be brief.")],
      messages: [
        { role: "user", content: [text("(The conversation begins.)")] },
        { role: "assistant", content: [text("Hello!")] },
        { role: "user", content: [text("How is the weather in Oslo and Rome?"), image(1)] },
        {
          role: "assistant",
          content: [
            text("Let me see."),
            call("call_oslo", "getWeather", { city: "Oslo" }),
            call("call_rome", "getWeather", { city: "Rome" }),
          ],
        },
        {
          role: "user",
          content: [
            result("call_oslo", "Cold."),
            result("call_rome", ""),
            text("(What the tools show.)"),
            image(2),
          ],
        },
        { role: "assistant", content: [call("c3", "ma_de_up", { malformed: "{" })] },
        { role: "user", content: [result("c3", "There is no such tool.")] },
        { role: "assistant", content: [text("Cold.")] },
        { role: "user", content: [text("<instructions>\nSay goodbye.\n</instructions>")] },
      ],
      tools: [{
        name: "getWeather",
        description: "The weather in a city",
        input_schema: getWeather.parameters,
        eager_input_streaming: true,
      }],
      tool_choice: { type: "auto" },
    });
  });

  it("is asked to go on when it spoke last", async () => {
    const { request } = await ask(contract, { messages: [user, { role: "assistant", content: "Wait." }] });
    assertEquals(request?.body.messages.at(-1), {
      role: "user",
      content: [{ type: "text", text: "(Go on.)" }],
    });
  });
});

describe("the emulated Anthropic", () => {
  const use = { type: "tool_use", id: "a", name: "x", input: {} } as const;
  const result = { type: "tool_result", tool_use_id: "a", content: "y" } as const;
  const says = (role: string, ...content: Exclude<AnthropicMessage["content"], string>[number][]) => ({
    role,
    content,
  });
  const hi = { type: "text", text: "Hi." } as const;
  const refused: [what: string, messages: AnthropicMessage[], why: RegExp][] = [
    ["no messages", [], /at least one message/],
    ["the assistant's first", [says("assistant", hi)], /first message must use the "user" role/],
    ["the assistant's last", [says("user", hi), says("assistant", hi)], /prefill/],
    [
      "instructions in between",
      [says("user", hi), says("system", hi), says("user", hi)],
      /'user' or 'assistant'/,
    ],
    ["a text of nothing", [says("user", { type: "text", text: "" })], /must be non-empty/],
    [
      "a call without a result",
      [says("user", hi), says("assistant", use), says("user", hi)],
      /without `tool_result`/,
    ],
    ["a result without a call", [says("user", result)], /unexpected `tool_use_id`/],
    [
      "a result behind words",
      [says("user", hi), says("assistant", use), says("user", hi, result)],
      /must come before other blocks/,
    ],
    [
      "an input that is no object",
      [says("user", hi), says("assistant", { ...use, input: [] }), says("user", result)],
      /valid dictionary/,
    ],
  ];
  for (const [what, messages, why] of refused) {
    it(`refuses ${what}`, () =>
      assertMatch(refusalOf({ model, max_tokens: 1, stream: true, messages }) ?? "", why));
  }
});
