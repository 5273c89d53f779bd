import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import type { ImagePart, LanguageEvent, LanguageRequest, Message, ToolChoice } from "../../src/llm/llm.ts";
import { assembleCalls, openaiLanguageModel, wireMessages } from "../../src/llm/openai.ts";
import { type ChatAnswer, type ChatBody, startOpenAIEmulator } from "../emulators/openai.ts";
import type { CallShape } from "../emulators/openai_calls.ts";
import { imagesOf, wordsOf } from "../emulators/openai_images.ts";
import { refusalOf } from "../emulators/openai_requests.ts";
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
async function answerTo(request: LanguageRequest, answer: string | ChatAnswer = "Cold.") {
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
    const { body } = await answerTo({ messages: [user], tools: [getWeather] });
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
      const { body, error } = await answerTo({ messages: [user], tools: [getWeather], toolChoice });
      assertEquals([body?.tool_choice, error], [sent, undefined]);
    });
  }

  it("is sent neither tools nor a choice when there are none", async () => {
    const { body, error } = await answerTo({ messages: [user], tools: [], toolChoice: "required" });
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
      const { calls } = await answerTo({ messages: [user], tools: [getWeather] }, {
        calls: [oslo, rome],
        shape,
      });
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
      const { calls } = await answerTo({ messages: [user], tools: [getWeather] }, {
        calls: [{ name: "getWeather", arguments: text }],
      });
      assertEquals(calls.map((call) => [call.arguments, call.malformed]), [[expected, malformed]]);
    });
  }

  it("gives each call an id of its own when the server does not", async () => {
    const { calls } = await answerTo({ messages: [user], tools: [getWeather] }, {
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
    const { body, error } = await answerTo({ messages, tools: [getWeather] });
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
      const { error } = await answerTo({ messages, tools: [getWeather] });
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
      const { error } = await answerTo({ messages: [user], tools });
      assertMatch(String(error), expected);
    }
  });
});

/** The beginning of a JPEG, and what tells it from others. */
const picture = (n: number): ImagePart => ({
  type: "image",
  mimeType: "image/jpeg",
  data: btoa(String.fromCharCode(0xff, 0xd8, 0xff, n)),
});

/** What OpenAI was sent of `messages`, in short: who says what, with which pictures. */
async function sent(messages: readonly Message[]) {
  await using emulator = await startOpenAIEmulator({ ttftMs: 0, tokenMs: 0 });
  const llm = openaiLanguageModel({ apiKey: "test-key", baseUrl: emulator.url });
  await Array.fromAsync(llm.generate({ messages }, { signal: new AbortController().signal }));
  return emulator.requests[0]?.body.messages.map((message) => [
    message.role,
    wordsOf(message),
    ...imagesOf(message).map(({ mimeType, file }) => `${mimeType} ${file[3]}`),
  ]);
}

const shown: Message = { role: "user", content: "What is this?" };
const look = (id: string) => ({ id, name: "look", arguments: {} });

describe("OpenAI, shown pictures", () => {
  it("is shown the user's in their message", async () => {
    assertEquals(await sent([{ ...shown, images: [picture(1), picture(2)] }]), [
      ["user", "What is this?", "image/jpeg 1", "image/jpeg 2"],
    ]);
  });

  it("is shown the tools' behind all results of their step, since it takes none within", async () => {
    const messages: Message[] = [
      shown,
      { role: "assistant", content: "", toolCalls: [look("a"), look("b"), look("c")] },
      { role: "tool", callId: "a", content: "The first.", images: [picture(1)] },
      { role: "tool", callId: "b", content: "Nothing." },
      { role: "tool", callId: "c", content: "The last.", images: [picture(3)] },
    ];
    const step = [
      ["user", "What is this?"],
      ["assistant", ""],
      ["tool", "The first."],
      ["tool", "Nothing."],
      ["tool", "The last."],
      ["user", "(What the tools show.)", "image/jpeg 1", "image/jpeg 3"],
    ];
    assertEquals(await sent(messages), step);
    assertEquals(await sent([...messages, { role: "assistant", content: "A cup." }]), [
      ...step,
      ["assistant", "A cup."],
    ]);
  });
});
