/** The weather and a calendar, with a model that does as a script says. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents } from "../../agents/mod.ts";
import registered, { memoryCalendar, toolsAgent, type ToolsOptions } from "../../agents/tools.ts";
import type { LanguageRequest } from "../../src/llm/llm.ts";
import { scripted, testCall } from "../../src/testing.ts";

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

const calls = (name: string, args: Record<string, unknown>) => ({ toolCalls: [{ name, arguments: args }] });
/** The model says what it was told of what it has called. */
const tellsResult = ({ messages }: LanguageRequest) => `I was told: ${messages.at(-1)?.content}`;

/** A call in which the model calls one tool, and says what it was told. */
function callWith(name: string, args: Record<string, unknown>, options: Partial<ToolsOptions> = {}) {
  const agent = toolsAgent({
    weatherUrl: "http://127.0.0.1:1",
    schedule: memoryCalendar(),
    today: () => "2030-05-01",
    ...options,
  });
  return testCall(agent, { llm: scripted([calls(name, args), tellsResult]) });
}

describe("agents/tools", () => {
  it("tells the weather", async () => {
    await using weather = weatherService();
    await using call = await callWith("getWeather", { location: "New York" }, { weatherUrl: weather.url });
    await call.user("What is the weather in New York?");
    call.expect.toolCall("getWeather", { location: "New York" });
    call.expect.said("I was told: The weather in New York is 72°F and Partly cloudy");
    assertEquals(weather.asked, ["/New York?format=j1"]);
  });

  it("says that it looks, while that takes time", async () => {
    await using call = await testCall(registered, {
      llm: scripted([calls("getWeather", { location: "Rome" }), "It rains in Rome."]),
      tools: {
        async getWeather(_, { progress, sleep }) {
          progress("Let me look.");
          await sleep(4_000);
          return "rain";
        },
      },
    });
    await call.user("What is the weather in Rome?");
    call.expect.said(/^Let me look\.\s+It rains in Rome\.$/);
  });

  it("says so when the weather is not to be had", async () => {
    await using weather = weatherService();
    await using unknown = await callWith("getWeather", { location: "Nowhere" }, { weatherUrl: weather.url });
    await unknown.user("What is the weather?");
    unknown.expect.said("I was told: This failed: the weather service answered 404 for Nowhere");
    unknown.expect.error(/404 for Nowhere/);

    await using unreachable = await callWith("getWeather", { location: "Rome" });
    await unreachable.user("What is the weather?");
    unreachable.expect.said("I was told: This failed: ");
    unreachable.expect.error();
  });

  it("tells the model what every argument is", async () => {
    await using call = await testCall(registered, {
      llm: scripted([({ tools = [] }) => {
        assertEquals(tools.map(({ name }) => name), ["getWeather", "scheduleMeeting"]);
        const args = tools.flatMap(({ parameters: { properties } }) => Object.values(properties ?? {}));
        assertEquals(args.length, 4);
        for (const { description } of args) assert(description, "an argument without a description");
        return "I can do both.";
      }]),
    });
    await call.user("What can you do?");
    call.expect.said("I can do both.");
  });

  const meeting = { date: "2030-05-02", time: "10:30", reason: "the roof" };

  it("schedules a meeting once, and reads its confirmation id back", async () => {
    const entered: unknown[] = [];
    const calendar = memoryCalendar();
    await using call = await callWith("scheduleMeeting", meeting, {
      schedule(meeting, { key }) {
        entered.push([meeting, key.startsWith("test:turn-1:scheduleMeeting:")]);
        return calendar(meeting, { key });
      },
    });
    await call.user("Schedule a meeting about the roof, tomorrow at half past ten.");
    call.expect.toolCall("scheduleMeeting", meeting);
    call.expect.said(/I was told: \{"confirmationId":"M1001"/);
    assertEquals(entered, [[meeting, true]]);
  });

  it("enters the meeting when the user interrupts, too, and tells them afterwards", async () => {
    let scheduled = 0;
    await using call = await testCall(registered, {
      llm: scripted([
        {
          text: "I will enter it for you right now, just a second.",
          ...calls("scheduleMeeting", { ...meeting, date: "2999-01-01" }),
        },
        "All right.",
        "By the way, the meeting is entered: M1.",
      ]),
      tools: {
        async scheduleMeeting(_, { sleep }) {
          await sleep(6_000);
          return `M${++scheduled}`;
        },
      },
    });
    await call.user("Schedule it.", { until: "speaking" });
    await call.wait(500);
    await call.interrupt("Wait.");
    await call.wait(10_000);
    assertEquals(scheduled, 1);
    call.expect.said(/meeting is entered/);
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
      await using call = await callWith("scheduleMeeting", args, {
        schedule: () => Promise.resolve(`M${++scheduled}`),
      });
      await call.user("Schedule it.");
      call.expect.said(told);
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
