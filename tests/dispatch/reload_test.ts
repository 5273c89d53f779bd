/** Agents that are written while the server runs. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Agent, defineAgent } from "../../src/agent.ts";
import { reloadAgents } from "../../src/dispatch/reload.ts";
import { until } from "../e2e/caller.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";

const agentModule = new URL("../../src/agent.ts", import.meta.url).href;
const agentFile = (instructions: string) =>
  `import { defineAgent } from "${agentModule}";\nexport default defineAgent({ instructions: ${
    JSON.stringify(instructions)
  } });\n`;

/** A folder with the agents `one` and `two`, and what the server holds of it. */
async function setUp() {
  const folder = await Deno.makeTempDir();
  /** Not half of it is ever to be seen. */
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${folder}/${name}.new`, text);
    await Deno.rename(`${folder}/${name}.new`, `${folder}/${name}.ts`);
  };
  await write("one", agentFile("First version."));
  await write("two", agentFile("The other."));
  await write(
    "mod",
    `import one from "./one.ts";\nimport two from "./two.ts";\nexport const agents = { one, two };\n`,
  );
  const module = new URL(`file://${folder}/mod.ts`);
  const agents: Record<string, Agent> = { ...(await import(module.href)).agents };
  const clock = fakeClock();
  const names = Object.keys(agents);
  const log = fakeLog();
  const prepared: string[][] = [];
  const reloads = reloadAgents({
    module,
    agents,
    names,
    prepare: (next) => Promise.resolve(void prepared.push(Object.keys(next))),
    clock,
    log,
  });
  return {
    agents,
    names,
    log,
    reloads,
    prepared,
    write,
    /** Time moves on until `isRead` says that what was saved is read. */
    until: (isRead: () => boolean) =>
      until(async () => {
        await clock.advance(100);
        return isRead();
      }, "what was saved"),
    async [Symbol.asyncDispose]() {
      reloads[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

describe("reloadAgents()", () => {
  it("replaces an agent whose file was saved, under its name", async () => {
    await using server = await setUp();
    const { agents, reloads } = server;
    const { one: first, two } = agents;
    assert(first && two);
    assertEquals(reloads.latest(first), first);
    await server.write("one", agentFile("Second version."));
    await server.until(() => agents.one !== first);
    assertEquals(agents.one?.instructions, "Second version.");
    assertEquals(reloads.latest(first), agents.one);
    await server.write("one", agentFile("Third version."));
    await server.until(() => agents.one?.instructions === "Third version.");
    assertEquals(reloads.latest(first), agents.one);
    assertEquals(server.prepared.at(-1), ["one", "two"]);
  });

  it("knows agents that come and go; who goes stays as they are in their calls", async () => {
    await using server = await setUp();
    const { agents, names, reloads } = server;
    const { two } = agents;
    assert(two);
    await server.write("three", agentFile("A third."));
    await server.write(
      "mod",
      `import one from "./one.ts";\nimport three from "./three.ts";\nexport const agents = { one, three };\n`,
    );
    await server.until(() => "three" in agents);
    assertEquals([Object.keys(agents), names], [["one", "three"], ["one", "three"]]);
    assertEquals(reloads.latest(two), two);
  });

  it("keeps what there is when a file cannot be read, says so, and takes the next version", async () => {
    await using server = await setUp();
    const { agents, log } = server;
    const before = agents.one;
    const failures = () =>
      log.lines.flatMap(({ level, fields }) => level === "error" ? [String(fields.error)] : []);
    for (
      const [broken, words] of [
        ["export default {", "SyntaxError"],
        ["export default 7;\n", "the module's `agents` is no registry"],
      ] as const
    ) {
      await server.write("one", broken);
      await server.until(() => failures().some((failure) => failure.includes(words)));
      assertEquals(agents.one, before);
    }
    await server.write("one", agentFile("Mended."));
    await server.until(() => agents.one?.instructions === "Mended.");
  });

  it("leaves alone whom the registry does not hold", async () => {
    await using server = await setUp();
    const stranger = defineAgent({ instructions: "A task's own." });
    assertEquals(server.reloads.latest(stranger), stranger);
  });
});
