/** The weather and a calendar by voice, with a model that does as a script says and refuses what OpenAI refuses. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents } from "../../agents/mod.ts";
import registered, { memoryCalendar, toolsAgent, type ToolsOptions } from "../../agents/tools.ts";
import type { SessionEvent } from "../../src/events.ts";
import { saidIn } from "../../src/history.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest, ToolCall } from "../../src/llm/llm.ts";
import { toolParameters, wireMessages } from "../../src/llm/openai_tools.ts";
import { refusalOf } from "../emulators/openai_requests.ts";
import { startCall, talk, timeToClose } from "../fakes/call.ts";

/** A model that calls `given`, and then says what it was told. */
function modelThatCalls(
  given: Omit<ToolCall, "id">,
): LanguageModel & { readonly requests: LanguageRequest[] } {
  const requests: LanguageRequest[] = [];
  return {
    provider: "scripted",
    model: "script",
    requests,
    generate(request) {
      requests.push(request);
      const { messages } = request;
      const refusal = refusalOf({ messages: wireMessages(messages), ...toolParameters(request) } as never);
      if (refusal) throw new Error(refusal.message);
      const last = messages.at(-1);
      const events: LanguageEvent[] = last?.role === "tool"
        ? [{ type: "text", text: `I was told: ${last.content}` }, { type: "finish", reason: "stop" }]
        : [{ type: "tool-call", id: "call-1", ...given }, { type: "finish", reason: "tool-calls" }];
      return ReadableStream.from(events);
    },
  };
}

/** A weather service; `location` may be one that it does not know. */
function weatherService() {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    asked.push(`${decodeURIComponent(pathname)}${search}`);
    if (pathname === "/Nowhere") return new Response("unknown location", { status: 404 });
    return Response.json({
      current_condition: [{ temp_F: "72", weatherDesc: [{ value: "Partly cloudy " }] }],
    });
  });
  return {
    asked,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A call in which the user asks for `given`: what was said and done. */
async function ask(given: Omit<ToolCall, "id">, options: Partial<ToolsOptions> = {}) {
  const llm = modelThatCalls(given);
  const agent = toolsAgent({
    weatherUrl: "http://127.0.0.1:1",
    schedule: memoryCalendar(),
    today: () => "2030-05-01",
    ...options,
  });
  const call = startCall(agent, { providers: { llm } });
  const events: SessionEvent[] = [];
  const told = call.session.events().pipeTo(
    new WritableStream({ write: (event) => void events.push(event) }),
  );
  await call.joined;
  call.room.enter("caller");
  await talk(call, 1_600);
  // The weather comes over a real socket, while the clock of the call stands still.
  const isDone = () => events.some(({ type }) => type === "tools-finished");
  for (let i = 0; i < 100_000 && !isDone(); i++) await call.clock.settle();
  await call.clock.advance(20_000);
  const { history } = call.session;
  await timeToClose(call);
  await told;
  return { events, history, llm, said: saidIn(history).at(-1)?.text };
}

describe("agents/tools", () => {
  it("tells the weather, and the model is told what every argument is", async () => {
    await using weather = weatherService();
    const { said, llm, events } = await ask({ name: "getWeather", arguments: { location: "New York" } }, {
      weatherUrl: weather.url,
    });
    assertEquals(said, "I was told: The weather in New York is 72°F and Partly cloudy");
    assertEquals(weather.asked, ["/New York?format=j1"]);
    const [tools] = llm.requests.map(({ tools }) => tools);
    assertEquals(tools?.map(({ name }) => name), ["getWeather", "scheduleMeeting"]);
    const described = tools?.flatMap(({ parameters }) =>
      Object.values(parameters.properties as Record<string, { description?: string }>)
    );
    assert(
      described?.length === 4 && described.every(({ description }) => description),
      "a description lacks",
    );
    assertEquals(
      events.filter(({ type }) => type === "error"),
      [],
    );
  });

  it("says so when the weather is not to be had", async () => {
    await using weather = weatherService();
    const unknown = await ask({ name: "getWeather", arguments: { location: "Nowhere" } }, {
      weatherUrl: weather.url,
    });
    assertEquals(
      unknown.said,
      "I was told: This failed: the weather service answered 404 for Nowhere",
    );
    const unreachable = await ask({ name: "getWeather", arguments: { location: "Rome" } });
    assertMatch(unreachable.said ?? "", /^I was told: This failed: /);
    assert(unreachable.events.some(({ type }) => type === "error"), "nobody was told");
  });

  const meeting = { date: "2030-05-02", time: "10:30", reason: "the roof" };

  it("schedules a meeting once, and reads its confirmation id back", async () => {
    const entered: unknown[] = [];
    const calendar = memoryCalendar();
    const { said, history } = await ask({ name: "scheduleMeeting", arguments: meeting }, {
      schedule(meeting, { key }) {
        entered.push([meeting, key.startsWith("session:turn-1:scheduleMeeting:")]);
        return calendar(meeting, { key });
      },
    });
    assertEquals(entered, [[meeting, true]]);
    assertMatch(said ?? "", /I was told: \{"confirmationId":"M1001"/);
    assertEquals(
      history.map((item) => item.type === undefined ? item.role : item.type).slice(-4),
      ["user", "tool-call", "tool-result", "assistant"],
    );
  });

  const wrong: [what: string, args: Record<string, unknown>, told: RegExp][] = [
    ["a day that there is not", { ...meeting, date: "2030-02-30" }, /the arguments are wrong \(date: /],
    ["a day that is over", { ...meeting, date: "2030-04-30" }, /date is over; expected today, 2030-05-01/],
    ["a time in words", { ...meeting, time: "half past ten" }, /the arguments are wrong \(time: /],
    ["no reason", { date: meeting.date, time: meeting.time }, /the arguments are wrong \(reason: /],
  ];
  for (const [what, args, told] of wrong) {
    it(`does not schedule ${what}`, async () => {
      let scheduled = 0;
      const { said } = await ask({ name: "scheduleMeeting", arguments: args }, {
        schedule: () => Promise.resolve(`M${++scheduled}`),
      });
      assertMatch(said ?? "", told);
      assertEquals(scheduled, 0);
    });
  }

  it("enters a meeting in its calendar once for each key", async () => {
    const calendar = memoryCalendar();
    const ids = await Promise.all(["a", "a", "b"].map((key) => calendar(meeting, { key })));
    assertEquals(ids, ["M1001", "M1001", "M1002"]);
  });

  it("is registered", () => assertEquals(agents.tools, registered));
});
