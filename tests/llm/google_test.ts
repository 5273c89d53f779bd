import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { googleLanguageModel } from "../../src/llm/google.ts";
import { startGoogleEmulator } from "../emulators/google.ts";
import {
  type GoogleBody,
  type GoogleContent,
  type GooglePart,
  refusalOf,
} from "../emulators/google_requests.ts";
import { ask, type Contract, conversation, getWeather, keeps, picture, user } from "./contract.ts";

const contractFor = (model: string): Contract<GoogleBody> => ({
  name: `Google, ${model}`,
  model,
  start: startGoogleEmulator,
  make: (options) => googleLanguageModel({ model, ...options }),
  keySource: "GOOGLE_API_KEY",
  reasons: { MAX_TOKENS: "length", SAFETY: "content-filter", OTHER: "other" },
  error: '{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}',
});
const contract = contractFor("gemini-2.5-flash");

keeps(contract);

describe("Gemini, on the wire", () => {
  it("is sent the conversation in turns that alternate", async () => {
    const { request } = await ask(contract, { messages: conversation, tools: [getWeather] });
    assertEquals(request?.path, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    const image = (n: number) => ({ inlineData: { mimeType: "image/jpeg", data: picture(n).data } });
    const turns = request?.body.contents.map(({ role, parts }) => [
      role,
      ...parts.map(({ text, functionCall, functionResponse, inlineData }) =>
        text ?? functionCall?.name ?? functionResponse?.name ?? { inlineData }
      ),
    ]);
    assertEquals(turns, [
      ["user", "(The conversation begins.)"],
      ["model", "Hello!"],
      ["user", "How is the weather in Oslo and Rome?", image(1)],
      ["model", "Let me see.", "getWeather", "getWeather"],
      ["user", "getWeather", "getWeather"],
      ["user", "(What the tools show.)", image(2)],
      ["model", "ma_de_up"],
      ["user", "ma_de_up"],
      ["model", "Cold."],
      ["user", "<instructions>\nSay goodbye.\n</instructions>"],
    ]);
    assertEquals(request?.body.systemInstruction, { parts: [{ text: "Be brief." }] });
  });

  const thoughts: [model: string, config: unknown][] = [
    ["gemini-2.5-flash", { thinkingBudget: 0 }],
    ["gemini-3-flash-preview", { thinkingLevel: "minimal" }],
    ["gemini-2.5-pro", { thinkingBudget: 128 }],
    ["gemma-3-27b-it", undefined],
  ];
  for (const [model, config] of thoughts) {
    it(`thinks as little as it can: ${model}`, async () => {
      const { request } = await ask(contractFor(model), { messages: [user] });
      const { thinkingConfig, ...others } = request?.body.generationConfig ?? {};
      assertEquals(thinkingConfig, config);
      assertEquals(others, { temperature: 0.2, maxOutputTokens: 99 });
    });
  }

  it("takes calls back that are not signed", async () => {
    const { error } = await ask(contractFor("gemini-3-flash-preview"), {
      messages: conversation,
      tools: [getWeather],
    });
    assertEquals(error, undefined);
  });
});

describe("the emulated Gemini", () => {
  const hi = { text: "Hi." };
  const call = { functionCall: { name: "x", args: {} } };
  const result = { functionResponse: { name: "x", response: {} } };
  const says = (role: string, ...parts: GooglePart[]): GoogleContent => ({ role, parts });
  const refused: [what: string, contents: GoogleContent[], why: RegExp][] = [
    ["nothing", [], /contents is not specified/],
    ["instructions in between", [says("system", hi)], /valid role/],
    ["a turn of nothing", [says("user")], /must not be empty/],
    ["the model's last", [says("user", hi), says("model", hi)], /end with a user role/],
    ["a call at the beginning", [says("model", call), says("user", result)], /immediately after a user turn/],
    [
      "a call without a result",
      [says("user", hi), says("model", call), says("user", hi)],
      /the number of function/,
    ],
    [
      "results in several turns",
      [says("user", hi), says("model", call, call), says("user", result), says("user", result)],
      /the number of function/,
    ],
    ["a result without a call", [says("user", result)], /immediately after a function call turn/],
  ];
  for (const [what, contents, why] of refused) {
    it(`refuses ${what}`, () => assertMatch(refusalOf({ contents }, false) ?? "", why));
  }
  it("refuses a call that is not signed, where models sign", () => {
    const contents = [says("user", hi), says("model", call), says("user", result)];
    assertMatch(refusalOf({ contents }, true) ?? "", /thought_signature/);
    assertEquals(refusalOf({ contents }, false), undefined);
  });
});
