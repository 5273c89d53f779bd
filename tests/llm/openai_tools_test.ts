import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent, LanguageRequest, Message, ToolChoice } from "../../src/llm/llm.ts";
import { openaiLanguageModel } from "../../src/llm/openai.ts";
import { assembleCalls, wireMessages } from "../../src/llm/openai_tools.ts";
import { type ChatAnswer, startOpenAIEmulator } from "../emulators/openai.ts";
import type { CallShape } from "../emulators/openai_calls.ts";
import { refusalOf } from "../emulators/openai_requests.ts";

const getWeather = {
  name: "getWeather",
  description: "The weather in a city",
  parameters: {
    type: "object",
    properties: { location: { type: "string", description: "City name" } },
    required: ["location"],
  },
};
const user: Message = { role: "user", content: "How is the weather in Oslo and Rome?" };
const oslo = { id: "call_oslo", name: "getWeather", arguments: { location: "Oslo" } };
const rome = { id: "call_rome", name: "getWeather", arguments: { location: 'Rome, "the eternal city"' } };

/** What the model answers to `request`, and what it was sent. */
async function ask(request: LanguageRequest, answer: string | ChatAnswer = "Cold.") {
  await using emulator = await startOpenAIEmulator({ ttftMs: 0, tokenMs: 0, answer: () => answer });
  const llm = openaiLanguageModel({ apiKey: "test-key", baseUrl: emulator.url });
  const events: LanguageEvent[] = [];
  let error: unknown;
  try {
    for await (const event of llm.generate(request, { signal: new AbortController().signal })) {
      events.push(event);
    }
  } catch (thrown) {
    error = thrown;
  }
  const calls = events.flatMap((event) => event.type === "tool-call" ? [event] : []);
  return { events, calls, error, body: emulator.requests[0]?.body };
}

describe("OpenAI, told of tools", () => {
  it("is sent each tool with the descriptions of its parameters", async () => {
    const { body } = await ask({ messages: [user], tools: [getWeather] });
    assertEquals(body?.tools, [{ type: "function", function: getWeather }]);
    assertEquals(body?.tool_choice, undefined);
  });

  const choices: [choice: ToolChoice, sent: unknown][] = [
    ["auto", undefined],
    ["none", "none"],
    ["required", "required"],
    [{ name: "getWeather" }, { type: "function", function: { name: "getWeather" } }],
  ];
  for (const [toolChoice, sent] of choices) {
    it(`chooses: ${JSON.stringify(toolChoice)}`, async () => {
      const { body, error } = await ask({ messages: [user], tools: [getWeather], toolChoice });
      assertEquals([body?.tool_choice, error], [sent, undefined]);
    });
  }

  it("is sent neither tools nor a choice when there are none", async () => {
    const { body, error } = await ask({ messages: [user], tools: [], toolChoice: "required" });
    assert(body && !("tools" in body) && !("tool_choice" in body));
    assertEquals(error, undefined);
  });
});

describe("OpenAI, calling tools", () => {
  const shapes: CallShape[] = [
    "deltas",
    "interleaved",
    "whole",
    "together",
    "without-ids",
    "same-index",
    "without-index",
    "repeating",
    "objects",
  ];
  for (const shape of shapes) {
    it(`is understood when calls come ${shape}`, async () => {
      const { calls } = await ask({ messages: [user], tools: [getWeather] }, { calls: [oslo, rome], shape });
      const expected = [oslo, rome].map(({ name, arguments: given }) => ({ name, given }));
      assertEquals(calls.map(({ name, arguments: given }) => ({ name, given })), expected);
      const ids = calls.map(({ id }) => id);
      if (shape !== "without-ids") assertEquals(ids, ["call_oslo", "call_rome"]);
      assert(new Set(ids).size === 2 && ids.every((id) => id.length > 0 && id.length <= 40), `${ids}`);
    });
  }

  const written: [text: string, expected: unknown, malformed?: string][] = [
    ["", {}],
    ["  ", {}],
    ["null", {}],
    ['{"location": "Oslo"', undefined, '{"location": "Oslo"'],
    ["Oslo", undefined, "Oslo"],
    ['["Oslo"]', ["Oslo"]],
  ];
  for (const [text, expected, malformed] of written) {
    it(`takes arguments as they are written: ${JSON.stringify(text)}`, async () => {
      const { calls } = await ask({ messages: [user], tools: [getWeather] }, {
        calls: [{ name: "getWeather", arguments: text }],
      });
      assertEquals(calls.map((call) => [call.arguments, call.malformed]), [[expected, malformed]]);
    });
  }

  it("gives each call an id of its own when the server does not", async () => {
    const { calls } = await ask({ messages: [user], tools: [getWeather] }, {
      calls: [{ ...oslo, id: "0" }, { ...rome, id: "0" }],
    });
    assertEquals(new Set(calls.map(({ id }) => id)).size, 2);
  });

  it("keeps calls apart that take no arguments and have no ids", () => {
    const calls = assembleCalls();
    for (const name of ["now", "today"]) calls.add([{ index: 0, function: { name, arguments: "" } }]);
    for (const _ of "ab") calls.add([{ index: 0, function: { name: "roll", arguments: "{}" } }]);
    assertEquals(calls.calls().map(({ name }) => name), ["now", "today", "roll", "roll"]);
  });
});

describe("OpenAI, told what became of calls", () => {
  const asked: Message = { role: "assistant", content: "", toolCalls: [oslo, rome] };
  const result = (callId: string): Message => ({ role: "tool", callId, content: "cold" });

  it("is sent them in its own shapes", async () => {
    const messages = [user, asked, result("call_rome"), result("call_oslo")];
    const { body, error } = await ask({ messages, tools: [getWeather] });
    assertEquals(error, undefined);
    const call = ({ id, name, arguments: given }: typeof oslo) => ({
      id,
      type: "function",
      function: { name, arguments: JSON.stringify(given) },
    });
    assertEquals(body?.messages, [
      { role: "user", content: "How is the weather in Oslo and Rome?" },
      { role: "assistant", content: null, tool_calls: [call(oslo), call(rome)] },
      { role: "tool", tool_call_id: "call_rome", content: "cold" },
      { role: "tool", tool_call_id: "call_oslo", content: "cold" },
    ]);
  });

  it("is never sent what it, or a server like it, does not take back", () => {
    const made = wireMessages([
      {
        role: "assistant",
        content: "",
        toolCalls: [
          { id: "1", name: "functions.getWeather", arguments: undefined, malformed: '{"loc' },
          { id: "2", name: "getWeather", arguments: ["Oslo"] },
        ],
      },
      { role: "tool", callId: "1", content: "no" },
      { role: "tool", callId: "2", content: "no" },
    ]);
    assertEquals(refusalOf({ messages: [{ role: "user", content: "" }, ...made as []] }), undefined);
    assertEquals(
      "tool_calls" in made[0]! && made[0].tool_calls?.map((call) => "function" in call && call.function),
      [
        { name: "functions_getWeather", arguments: '{"malformed":"{\\"loc"}' },
        { name: "getWeather", arguments: '{"value":["Oslo"]}' },
      ],
    );
  });

  const refused: [what: string, messages: Message[], expected: RegExp][] = [
    [
      "a call without a result",
      [user, asked, result("call_oslo")],
      /did not have response messages: call_rome/,
    ],
    [
      "calls without any result",
      [user, asked, user],
      /must be followed by tool messages.+call_oslo, call_rome/,
    ],
    [
      "a result behind something else",
      [user, asked, result("call_oslo"), user, result("call_rome")],
      /call_rome/,
    ],
    ["a result of no call", [user, result("call_oslo")], /must be a response to a preceeding message/],
    [
      "a result of an unknown call",
      [user, asked, result("call_paris")],
      /'tool_call_id' of 'call_paris' not found in 'tool_calls' of previous message/,
    ],
    [
      "two results of one call",
      [user, asked, result("call_oslo"), result("call_rome"), result("call_oslo")],
      /Duplicate value for 'tool_call_id' of 'call_oslo', in messages\[2\] and messages\[4\]/,
    ],
    ["a result that is gone", [
      user,
      asked,
      result("call_oslo"),
      result("call_rome"),
      user,
      result("call_oslo"),
    ], /preceeding/],
  ];
  for (const [what, messages, expected] of refused) {
    it(`refuses ${what}, in words`, async () => {
      const { error } = await ask({ messages, tools: [getWeather] });
      assert(error instanceof StageError);
      assertMatch(error.message, expected);
      assertEquals(error.retryable, false);
    });
  }

  it("refuses a tool it cannot take, in words", async () => {
    const wrong: [LanguageRequest["tools"], RegExp][] = [
      [[{ ...getWeather, name: "get weather" }], /does not match pattern/],
      [
        [{ ...getWeather, parameters: { type: "string" } }],
        /schema must be a JSON Schema of 'type: "object"'/,
      ],
    ];
    for (const [tools = [], expected] of wrong) {
      const { error } = await ask({ messages: [user], tools });
      assertMatch(String(error), expected);
    }
  });
});
