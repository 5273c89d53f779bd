/** An agent with an MCP server in a session: it waits for nothing, is offered what there is, and ends with it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { systemClock } from "../../src/clock.ts";
import type { SessionEvent } from "../../src/events.ts";
import { decisionsOf, firstDifference } from "../../src/recording/decisions.ts";
import { readRecording } from "../../src/recording/recording.ts";
import { replay } from "../../src/recording/replay.ts";
import { startRecorded } from "../../src/recording/start.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import { scripted, testCall } from "../../src/testing.ts";
import { tool } from "../../src/tool.ts";
import {
  createMcpServers,
  type McpServer,
  type McpServers,
  type McpServersOptions,
  prepareMcp,
} from "../../src/tools/mcp.ts";
import { startMcpEmulator } from "../emulators/mcp.ts";
import { turnTaking } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "../fakes/providers.ts";
import { loudnessDetector } from "../fakes/speech.ts";

const config = { endpointing: {}, interruption: {}, speculate: true };

/** A recorded session of an agent that has `mcpServers`, and one tool of its own. */
async function sessionOf(mcpServers: readonly McpServer[]) {
  const clock = fakeClock();
  const room = memoryRoom({ name: "room", clock });
  const answer = (text: string, ...names: string[]) => (
    { text, ttftMs: 100, tokenMs: 10, calls: names.map((name) => ({ name, arguments: { n: 7 } })) }
  );
  const llm = scriptedLanguageModel(
    [answer("Hello."), answer("", "look", "own"), answer("There it is.")],
    clock,
  );
  const own = tool({ description: "Its own", effect: "none", execute: () => "mine" });
  const lines: string[] = [];
  let servers: McpServers | undefined;
  const options = {
    id: "session",
    agentName: "test",
    agent: defineAgent({ instructions: "You are a test.", mcpServers, tools: { own } }),
    providers: {
      vad: loudnessDetector(),
      stt: scriptedSpeechToText([], clock),
      llm,
      tts: scriptedTextToSpeech([], clock),
    },
    turnTaking,
    mcpServers: (given: McpServersOptions) => servers = createMcpServers(given),
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log,
  };
  const running = startRecorded(options, config, { write: (line) => lines.push(line) > 0, close() {} });
  const { session } = running;
  const events: SessionEvent[] = [];
  const told = session.events().pipeTo(new WritableStream({ write: (event) => void events.push(event) }));
  room.enter("caller");
  await clock.advance(10);
  await running.joined;
  const greeting = session.generateReply();
  await clock.advance(3_000);
  assertEquals((await greeting).text, "Hello.");
  return {
    clock,
    events,
    session,
    llm,
    /** The names of what the servers offer by now. */
    offered: () => Object.keys(servers?.tools(mcpServers) ?? {}).join(),
    /** Lets the machine's time pass, in which sockets are read, and five times as much of the session's. */
    async until(isSo: () => boolean) {
      for (const giveUpMs = systemClock.now() + 10_000; !isSo();) {
        assert(systemClock.now() < giveUpMs, `waited in vain: ${isSo}`);
        await systemClock.sleep(5);
        await clock.advance(25);
      }
    },
    async close() {
      let isOver = false;
      const closed = session.close().then(() => isOver = true);
      await this.until(() => isOver);
      await Promise.all([closed, told]);
      assertEquals(clock.pending, 0);
      return readRecording(lines.join(""), "the recording");
    },
  };
}

describe("an agent with an MCP server", () => {
  it("greets before the server is there, has its tools as soon as it is, and is played again without it", async () => {
    let looked = 0;
    await using emulator = startMcpEmulator({
      tools: {
        look: { call: ({ n }) => `${n}, ${++looked}`, annotations: { idempotentHint: true } },
        own: { call: () => "not this one" },
      },
    });
    const call = await sessionOf([{ url: emulator.url }]);
    await call.until(() => call.offered() === "look,own");
    const reply = call.session.generateReply();
    await call.until(() => call.session.history.length === 6);
    await call.clock.advance(3_000);
    assertEquals((await reply).text, "There it is.");
    const results = call.session.history.flatMap((item) => item.type === "tool-result" ? [item.content] : []);
    assertEquals(results.toSorted(), ["7, 1", "mine"]);
    const recording = await call.close();
    assertEquals(emulator.requests.at(-1)?.method, "DELETE");
    const offered = recording.entries.flatMap((entry) => entry.type === "tool-offered" ? [entry.tool] : []);
    assertEquals(offered.map(({ name, effect }) => [name, effect]), [["look", "idempotent"], [
      "own",
      "once",
    ]]);
    const again = await replay(recording);
    const [then, now] = [recording, again].map(decisionsOf);
    assertEquals(firstDifference(then ?? [], now ?? [], { ms: 500, words: 0 }), undefined);
    assertEquals(looked, 1);
  });

  it("goes on without a server that is down, and says so once", async () => {
    const nobody = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = nobody.addr;
    nobody.close();
    const call = await sessionOf([{ url: `http://127.0.0.1:${port}/mcp` }]);
    const errors = () => call.events.filter((event) => event.type === "error");
    await call.until(() => errors().length === 1);
    await call.clock.advance(2_000);
    assert(
      errors()[0]?.error.message.startsWith(`the MCP server http://127.0.0.1:${port}/mcp offers no tools`),
    );
    await call.close();
    assertEquals(errors().length, 1);
  });

  it("is tested without its servers", async () => {
    const agent = defineAgent({
      instructions: "Be a test.",
      mcpServers: [{ url: "http://127.0.0.1:1/mcp" }],
    });
    const llm = scripted([{ toolCalls: [{ name: "find", arguments: { what: "tea" } }] }, "There is tea."]);
    await using call = await testCall(agent, { llm, tools: { find: ({ what }) => `${what}: 3 left` } });
    await call.user("Is there tea?");
    call.expect.toolCall("find", { what: "tea" });
    call.expect.said(/There is tea/);
  });
});

describe("prepareMcp()", () => {
  it("refuses an agent whose server is a process that may not be started", async () => {
    const code = `
      import { prepareMcp } from ${JSON.stringify(import.meta.resolve("../../src/tools/mcp.ts"))};
      await prepareMcp({ helper: { mcpServers: [{ url: "http://a" }, { command: "npx" }] } });`;
    const args = ["run", "--quiet", "--no-prompt", "--no-check", "--allow-env", "-"];
    const process = new Deno.Command(Deno.execPath(), {
      args,
      stdin: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    await new Blob([code]).stream().pipeTo(process.stdin);
    const { success, stderr } = await process.output();
    assertEquals(success, false);
    assertMatch(
      new TextDecoder().decode(stderr),
      /ConfigError: The agent "helper" has an MCP server that is a process, "npx".+`deno task start:mcp`/,
    );
  });

  it("takes every other agent", async () => {
    await prepareMcp({
      a: {},
      b: { mcpServers: [{ url: "http://a" }] },
      c: { mcpServers: [{ command: Deno.execPath() }] },
    });
  });
});
