import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../src/clock.ts";
import type { StageError } from "../../src/errors.ts";
import type { ToolContext } from "../../src/tool.ts";
import {
  createMcpServers,
  type McpOptions,
  type McpServer,
  problemOfMcpServers,
} from "../../src/tools/mcp.ts";
import { type EmulatedTool, type McpEmulatorOptions, startMcpEmulator } from "../emulators/mcp.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { call, world } from "./world.ts";

const echo: EmulatedTool = { description: "Says it again", call: ({ text }) => `You said ${text}` };

/** As much of a call's context as these tools look at. */
const context = () => ({ signal: new AbortController().signal, heartbeat() {} }) as unknown as ToolContext;

/** Waits on the machine's clock, for what crosses a socket. */
async function until(isSo: () => unknown): Promise<void> {
  for (const giveUpMs = systemClock.now() + 10_000; !await isSo();) {
    assert(systemClock.now() < giveUpMs, `waited in vain: ${isSo}`);
    await systemClock.sleep(2);
  }
}

/** The servers of a session, and what they say is wrong. */
function servers(clock: FakeClock = fakeClock()) {
  const errors: StageError[] = [];
  const made = createMcpServers({ clock, onError: (error) => void errors.push(error) });
  return { ...made, clock, errors, [Symbol.asyncDispose]: () => made.close() };
}

/** A server of MCP, and a session that is connected to it. */
async function connected(options: McpEmulatorOptions & { readonly client?: McpOptions }) {
  const emulator = startMcpEmulator(options);
  const session = servers();
  const list = [{ url: emulator.url, ...options.client }];
  const tools = () => session.tools(list);
  await until(() => Object.keys(tools()).length > 0);
  return {
    ...session,
    emulator,
    names: () => Object.keys(tools()),
    tools,
    run: (name: string, args: unknown = {}) => tools()[name]?.execute(args, context()),
    async [Symbol.asyncDispose]() {
      await session.close();
      await emulator[Symbol.asyncDispose]();
      assertEquals(session.clock.pending, 0);
    },
  };
}

describe("an MCP server", () => {
  it("offers its tools as the model can call them, its schemas as they are", async () => {
    const inputSchema = {
      type: "object",
      properties: { text: { type: "string", description: "What to say", pattern: "^[a-z ]+$" } },
      required: ["text"],
      additionalProperties: false,
    };
    await using one = await connected({
      tools: {
        echo: { ...echo, inputSchema },
        "files/read.all": { title: "Reads", call: () => "" },
        silent: echo,
      },
      pageSize: 1,
      client: { prefix: "x_", allow: ["echo", "files/read.all"], timeoutMs: 3_000 },
    });
    const { x_echo, x_files_read_all } = one.tools();
    assertEquals(one.names(), ["x_echo", "x_files_read_all"]);
    assertEquals([x_echo?.description, x_files_read_all?.description], ["Says it again", "Reads"]);
    assertEquals([x_echo?.parameters, x_echo?.timeoutMs], [inputSchema, 3_000]);
    assertEquals(x_files_read_all?.parameters, { type: "object", properties: {} });
    assertEquals(await x_echo?.validate(["no object"]), { issues: [{ message: "expected an object" }] });
    assertEquals(await one.run("x_echo", { text: "hi" }), "You said hi");
    assertEquals(one.errors, []);
  });

  const hints: [annotations: EmulatedTool["annotations"], effect: string][] = [
    [undefined, "once"],
    [{ readOnlyHint: true }, "none"],
    [{ readOnlyHint: false }, "once"],
    [{ idempotentHint: true }, "idempotent"],
    [{ idempotentHint: true, destructiveHint: false }, "idempotent"],
    [{ idempotentHint: true, destructiveHint: true }, "once"],
    [{ destructiveHint: false }, "once"],
  ];
  it("says by its hints what its tools do to the world", async () => {
    const tools = Object.fromEntries(
      hints.map(([annotations], at) => [`tool${at}`, { ...echo, ...(annotations && { annotations }) }]),
    );
    await using one = await connected({ tools });
    assertEquals(Object.values(one.tools()).map(({ effect }) => effect), hints.map(([, effect]) => effect));
  });

  it("is not believed where the agent's author knows better", async () => {
    const client: McpOptions = { effect: ({ name }) => name === "pay" ? "once" : "none" };
    const readOnly = { ...echo, annotations: { readOnlyHint: true } };
    await using one = await connected({ tools: { pay: readOnly, look: echo }, client });
    assertEquals(Object.values(one.tools()).map(({ effect }) => effect), ["once", "none"]);
  });

  it("is sent the headers it wants, with every request, and told when it is left", async () => {
    const emulator = startMcpEmulator({ tools: { echo } });
    await using _ = emulator;
    const session = servers();
    const list = [{ url: emulator.url, headers: { authorization: "Bearer key" } }];
    await until(() => session.tools(list).echo);
    await until(() => emulator.requests.some(({ method }) => method === "GET"));
    await session.close();
    assertEquals(session.tools(list), {});
    assertEquals(emulator.requests.map(({ method }) => method).toSorted(), [
      "DELETE",
      "GET",
      "initialize",
      "notifications/initialized",
      "tools/list",
    ]);
    assert(emulator.requests.every(({ authorization }) => authorization === "Bearer key"));
  });

  it("may change its tools", async () => {
    await using one = await connected({ tools: { echo }, client: { allow: ["echo", "other"] } });
    await until(() => one.emulator.requests.some(({ method }) => method === "GET"));
    await one.emulator.change({ other: { call: () => "other" }, third: echo });
    await until(() => one.names().join() === "other");
    assertEquals(await one.run("other"), "other");
  });
});

describe("an MCP server that is not always there", () => {
  for (const status of [404, 400]) {
    it(`is connected to anew when it has forgotten the session (${status}), and the call made once`, async () => {
      let calls = 0;
      const known = new Set<string>();
      await using one = await connected({
        tools: { count: { call: () => String(++calls) } },
        fault: ({ method }, n) => {
          if (method !== "tools/call" || n > 0) return undefined;
          known.add("forgotten");
          return new Response("Bad Request: Server not initialized", { status });
        },
      });
      assertEquals([await one.run("count"), calls, known.size], ["1", 1, 1]);
      const sessions = one.emulator.requests.filter(({ method }) => method === "tools/call");
      assert(sessions[0]?.sessionId !== sessions[1]?.sessionId);
      assertEquals([one.names(), one.errors], [["count"], []]);
    });
  }

  it("offers nothing while it is away, which is told once, and comes back", async () => {
    const first = startMcpEmulator({ tools: { echo } });
    await using session = servers();
    const list = [{ url: first.url }];
    const names = () => Object.keys(session.tools(list)).join();
    await until(() => names() === "echo");
    await until(() => first.requests.some(({ method }) => method === "GET"));
    const { echo: before } = session.tools(list);
    await first[Symbol.asyncDispose]();
    await until(() => names() === "");
    await until(() => session.errors.length === 1);
    assertMatch(
      session.errors[0]?.message ?? "",
      /^the MCP server http:\/\/127\.0\.0\.1:\d+\/mcp offers no tools: /,
    );
    await assertRejects(
      async () => await before?.execute({}, {} as ToolContext),
      /the server of this tool cannot be reached at the moment/,
    );
    for (const ms of [500, 1_000, 2_000]) {
      await until(() => session.clock.pending === 1);
      await session.clock.advance(ms);
    }
    await until(() => session.clock.pending === 1);
    await using _ = startMcpEmulator({ tools: { other: echo }, port: Number(new URL(first.url).port) });
    await session.clock.advance(5_000);
    await until(() => names() === "other");
    assertEquals(session.errors.length, 1);
  });

  it("fails the call that it goes away in", async () => {
    const begun = Promise.withResolvers<void>();
    const hang = { call: () => (begun.resolve(), new Promise<string>(() => {})) };
    await using one = await connected({ tools: { hang } });
    await until(() => one.emulator.requests.some(({ method }) => method === "GET"));
    const running = one.run("hang");
    await begun.promise;
    await one.emulator[Symbol.asyncDispose]();
    await assertRejects(
      async () => await running,
      /the connection to its server was lost; whether this was done is not known/,
    );
  });

  const refusals: [what: string, fault: McpEmulatorOptions["fault"], told: RegExp][] = [
    ["the key", () => new Response("Who are you?", { status: 401 }), /Who are you\?/],
    [
      "to list tools",
      ({ method }) => method === "tools/list" ? new Response("", { status: 500 }) : undefined,
      /offers no tools/,
    ],
  ];
  for (const [what, fault, told] of refusals) {
    it(`says once that it refuses ${what}`, async () => {
      await using emulator = startMcpEmulator({ tools: { echo }, ...(fault && { fault }) });
      await using session = servers();
      const list = [{ url: `${emulator.url}?key=secret` }];
      assertEquals(session.tools(list), {});
      const attempts = () => emulator.requests.filter(({ method }) => method === "initialize").length;
      await until(async () => (await session.clock.advance(500), attempts() > 2));
      assertEquals(session.errors.map(({ message }) => told.test(message)), [true]);
      assert(!session.errors[0]?.message.includes("secret"));
    });
  }

  it("that never answers is left as soon as the session ends", async () => {
    const held = Promise.withResolvers<Response>();
    const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => held.promise);
    const session = servers();
    assertEquals(session.tools([{ url: `http://127.0.0.1:${http.addr.port}` }]), {});
    await systemClock.sleep(20);
    await session.close();
    assertEquals([session.errors, session.clock.pending], [[], 0]);
    held.resolve(new Response());
    await http.shutdown();
  });
});

describe("a call of an MCP server's tool", () => {
  it("takes no longer than its time, and is cancelled there too", async () => {
    let cancelled = false;
    const hang: EmulatedTool = {
      annotations: { readOnlyHint: true },
      call: (_, { signal }) =>
        new Promise(() => signal.addEventListener("abort", () => cancelled = true, { once: true })),
    };
    await using one = await connected({ tools: { hang }, client: { timeoutMs: 4_000 } });
    const { run, clock } = world();
    const running = run(one.tools(), [call("a", "hang")]);
    await until(() => one.emulator.requests.some(({ method }) => method === "tools/call"));
    await clock.advance(4_000);
    assertEquals((await running).map(({ outcome, content }) => [outcome, content]), [
      ["timed-out", "This took longer than 4 s and was stopped: there is no result."],
    ]);
    await until(() => cancelled);
  });

  it("takes longer while the server tells of progress", async () => {
    let goOn = Promise.withResolvers<void>();
    let steps = 0;
    const slow: EmulatedTool = {
      async call(_, { progress }) {
        for (; steps < 3; steps++) {
          await goOn.promise;
          goOn = Promise.withResolvers();
          await progress();
        }
        return "Done at last.";
      },
    };
    await using one = await connected({ tools: { slow }, client: { timeoutMs: 4_000 } });
    const { run, clock } = world();
    let heartbeats = 0;
    const counted = {
      slow: {
        ...one.tools().slow!,
        execute: (args: unknown, ctx: ToolContext) =>
          one.tools().slow!.execute(args, { ...ctx, heartbeat: () => (heartbeats++, ctx.heartbeat()) }),
      },
    };
    const running = run(counted, [call("a", "slow")]);
    for (const beats of [1, 2, 3]) {
      await until(() => steps === beats - 1);
      await clock.advance(3_000);
      goOn.resolve();
      await until(() => heartbeats === beats);
    }
    assertEquals((await running).map(({ content }) => content), ["Done at last."]);
    assertEquals(clock.now(), 9_000);
  });
});

describe("an MCP server that is a process", () => {
  const process = (...args: string[]): McpServer => ({
    command: Deno.execPath(),
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-env",
      new URL("../emulators/mcp_process.ts", import.meta.url).pathname,
      ...args,
    ],
    env: { GIVEN: "this" },
  });

  it("is started for the session, begun anew when it ends, and ended with the session", async () => {
    await using session = servers();
    const list = [process()];
    await until(() => session.tools(list).add);
    const run = async (name: string, args: unknown) =>
      await session.tools(list)[name]?.execute(
        args,
        context(),
      );
    assertEquals(await run("add", { a: 2, b: 3 }), "5");
    await assertRejects(() => run("exit", {}), /the connection to its server was lost/);
    await until(() => session.tools(list).add);
    assertEquals(await run("add", { a: 1, b: 1 }), "2");
    assertEquals(session.errors, []);
  });

  it("sees nothing of the environment but what it is given", async () => {
    Deno.env.set("REPARTEE_TEST_SECRET", "secret");
    await using session = servers();
    const list = [process()];
    await until(() => session.tools(list).environment);
    const told = await session.tools(list).environment?.execute(
      {},
      context(),
    );
    assertEquals(told, '["this",null]');
    Deno.env.delete("REPARTEE_TEST_SECRET");
  });

  it("that there is not offers nothing", async () => {
    await using session = servers();
    assertEquals(session.tools([{ command: "/there/is/none" }]), {});
    await until(() => session.errors.length === 1);
    assertMatch(
      session.errors[0]?.message ?? "",
      /^the MCP server "\/there\/is\/none" offers no tools: .*ENOENT/,
    );
  });
});

describe("the MCP servers of a session", () => {
  it("are asked for a tool in their order, once for each server", async () => {
    await using one = startMcpEmulator({
      tools: { same: { call: () => "one" }, constructor: { call: () => "c" } },
    });
    await using two = startMcpEmulator({ tools: { same: { call: () => "two" }, more: echo } });
    await using session = servers();
    const list = [{ url: one.url }, { url: two.url }];
    await until(() => Object.keys(session.tools(list)).length === 3);
    assertEquals(Object.keys(session.tools(list.toReversed())).toSorted(), ["constructor", "more", "same"]);
    const { same } = session.tools(list);
    assertEquals(
      await same?.execute(
        {},
        context(),
      ),
      "one",
    );
    for (const { requests } of [one, two]) {
      assertEquals(requests.filter(({ method }) => method === "initialize").length, 1);
    }
  });

  const wrong: [server: unknown, problem: RegExp][] = [
    [{}, /^mcpServers\[0\] has neither or both of url and command$/],
    [{ url: "https://a", command: "b" }, /neither or both/],
    [{ url: "a.example/mcp" }, /url is "a\.example\/mcp"; expected an address/],
    [{ url: "ftp://a" }, /expected an address/],
    [{ url: "https://a", timeoutMs: 0 }, /timeoutMs is 0; expected milliseconds/],
    [{ url: "https://a", prefix: "a b" }, /prefix is "a b"; expected up to 32 letters/],
  ];
  for (const [server, problem] of wrong) {
    it(`are refused in words: ${JSON.stringify(server)}`, () =>
      assertMatch(problemOfMcpServers([server as McpServer]) ?? "", problem));
  }

  it("may be reached by both ways", () =>
    assertEquals(
      problemOfMcpServers([{ url: "http://localhost:1/mcp", prefix: "crm_" }, { command: "npx" }]),
      undefined,
    ));
});

describe("what an MCP server answers", () => {
  const text = (text: string) => ({ type: "text" as const, text });
  const image = { type: "image" as const, data: "AAAA", mimeType: "image/png" };
  const table: [what: string, result: Awaited<ReturnType<EmulatedTool["call"]>>, told: string | undefined][] =
    [
      ["text", "Sunny.", "Sunny."],
      ["several texts", { content: [text("One."), text("Two.")] }, "One.\nTwo."],
      ["nothing", { content: [] }, undefined],
      ["data", { content: [], structuredContent: { degrees: 20 } }, '{"degrees":20}'],
      ["data, and the same as text", { content: [text("20")], structuredContent: { degrees: 20 } }, "20"],
      [
        "an image",
        { content: [text("A cat."), image] },
        "A cat.\n(There is also an image, which cannot be shown.)",
      ],
      [
        "an image and data",
        { content: [image], structuredContent: { of: "cat" } },
        '{"of":"cat"}\n(There is also an image, which cannot be shown.)',
      ],
      ["a file", { content: [{ type: "resource", resource: { uri: "file:///a", text: "A" } }] }, "A"],
      [
        "a file of bytes",
        { content: [{ type: "resource", resource: { uri: "file:///a", blob: "AAAA" } }] },
        "(file:///a is no text, and cannot be shown.)",
      ],
      [
        "a link",
        { content: [{ type: "resource_link", name: "Manual", uri: "https://a/b" }] },
        "Manual: https://a/b",
      ],
    ];
  for (const [what, result, told] of table) {
    it(`is told in words: ${what}`, async () => {
      await using one = await connected({ tools: { get: { call: () => result } } });
      assertEquals(await one.run("get"), told);
    });
  }

  const result = (result: unknown) => (message: { readonly method: string; readonly id?: number }) =>
    message.method === "tools/call" ? Response.json({ jsonrpc: "2.0", id: message.id, result }) : undefined;
  const status = (status: number) => ({ method }: { readonly method: string }) =>
    method === "tools/call" ? new Response("no", { status }) : undefined;
  const failures: [what: string, options: Partial<McpEmulatorOptions>, told: RegExp][] = [
    ["an error of the tool's", {
      tools: { get: { call: () => ({ content: [text("Out of tea.")], isError: true }) } },
    }, /^Error: Out of tea\.$/],
    [
      "an error without a word",
      { tools: { get: { call: () => ({ content: [], isError: true }) } } },
      /does not say why/,
    ],
    [
      "an error of the server's",
      { tools: { get: { call: () => Promise.reject(new Error("broken")) } } },
      /broken/,
    ],
    ["no result", { fault: result({ content: 5 }) }, /its server's answer cannot be understood/],
    ["no JSON", {
      fault: ({ method }) =>
        method === "tools/call"
          ? new Response("{", { headers: { "content-type": "application/json" } })
          : undefined,
    }, /its server's answer cannot be understood/],
    ["a refusal", { fault: status(403) }, /refused the call with status 403/],
    ["a failure", { fault: status(500) }, /refused the call with status 500/],
    ["404 again and again", { fault: status(404) }, /did not accept the call/],
  ];
  for (const [what, options, told] of failures) {
    it(`is an error in words: ${what}`, async () => {
      await using one = await connected({ tools: { get: echo }, ...options });
      await assertRejects(async () => await one.run("get"), told);
    });
  }
});
