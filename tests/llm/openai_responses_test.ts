import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { openaiResponsesModel } from "../../src/llm/openai_responses.ts";
import {
  refusalOfInput,
  type ResponsesBody,
  type ResponsesItem,
  startResponsesEmulator,
} from "../emulators/openai_responses.ts";
import { ask, type Contract, conversation, getWeather, keeps, picture, user } from "./contract.ts";

const model = "gpt-4.1-mini";

const contract: Contract<ResponsesBody> = {
  name: "OpenAI's responses",
  model,
  start: startResponsesEmulator,
  make: (options) => openaiResponsesModel({ model, ...options }),
  keySource: "OPENAI_API_KEY",
  reasons: { max_output_tokens: "length", content_filter: "content-filter" },
  error: '{"type":"error","error":{"message":"overloaded","code":"server_error"}}',
};

keeps(contract);

describe("OpenAI's responses, on the wire", () => {
  it("are asked with the conversation, of which nothing is stored", async () => {
    const { request } = await ask(contract, { messages: conversation, tools: [getWeather] });
    const image = (n: number) => ({
      type: "input_image",
      detail: "auto",
      image_url: `data:image/jpeg;base64,${picture(n).data}`,
    });
    const call = (call_id: string, name: string, given: string) => ({
      type: "function_call",
      call_id,
      name,
      arguments: given,
    });
    const output = (call_id: string, output: string) => ({ type: "function_call_output", call_id, output });
    assertEquals(request?.body, {
      model,
      temperature: 0.2,
      max_output_tokens: 99,
      store: false,
      stream: true,
      tools: [{ type: "function", ...getWeather, strict: false }],
      tool_choice: "auto",
      input: [
        { role: "system", content: "Be brief." },
        { role: "assistant", content: "Hello!" },
        { role: "user", content: [{ type: "input_text", text: user.content }, image(1)] },
        { role: "assistant", content: "Let me see." },
        call("call_oslo", "getWeather", '{"city":"Oslo"}'),
        call("call_rome", "getWeather", '{"city":"Rome"}'),
        output("call_oslo", "Cold."),
        output("call_rome", ""),
        { role: "user", content: [{ type: "input_text", text: "(What the tools show.)" }, image(2)] },
        call("c3", "ma_de_up", '{"malformed":"{"}'),
        output("c3", "There is no such tool."),
        { role: "assistant", content: "Cold." },
        { role: "system", content: "Say goodbye." },
      ],
    });
  });

  const failures: [code: string, retryable: boolean][] = [["server_error", true], ["invalid_prompt", false]];
  for (const [code, retryable] of failures) {
    it(`tell of a failure of their own: ${code}`, async () => {
      const response = { status: "failed", error: { code, message: "it went wrong" } };
      const data = JSON.stringify({ type: "response.failed", response });
      const { error } = await ask(contract, { messages: [user] }, "It is four.", {
        fault: () => ({ type: "malformed", data, afterTokens: 1 }),
      });
      assertMatch(String(error), /it went wrong/);
      assertEquals((error as { retryable?: boolean }).retryable, retryable);
    });
  }
});

describe("OpenAI's emulated responses", () => {
  const call = { type: "function_call", call_id: "a", name: "x", arguments: "{}" } as const;
  const output = { type: "function_call_output", call_id: "a", output: "y" } as const;
  const refused: [what: string, input: ResponsesItem[], why: RegExp][] = [
    ["nothing", [], /Missing required parameter/],
    ["a call without its output", [call], /No tool output found for function call a\./],
    ["an output without its call", [output, call], /No tool call found/],
    ["a call of a name it cannot have", [{ ...call, name: "a b" }, output], /\.name/],
    [
      "a picture of the assistant's",
      [{ role: "assistant", content: [{ type: "input_image" }] }],
      /Supported values/,
    ],
  ];
  for (const [what, input, why] of refused) {
    it(`refuse ${what}`, () => assertMatch(refusalOfInput(input)?.message ?? "", why));
  }
});
