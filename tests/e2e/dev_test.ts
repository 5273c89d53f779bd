/** Agents that are written while the real process runs, and what the real livekit-server knows of them. */
import { assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { clients, greeting, newRoomName, startRepartee, untilGreeted } from "./dispatch_world.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { copyServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const newcomer = `import { defineAgent } from "../src/mod.ts";
export default defineAgent({ instructions: "Be brief.", greeting: ${JSON.stringify(greeting)} });
`;

describe("a server whose agents are being written", () => {
  it("has LiveKit send one that was saved just now", options, async () => {
    if (!livekit) return;
    await using copy = await copyServer();
    const { folder } = copy;
    await using server = await startRepartee(livekit, { env: { DEV: "1" }, folder });
    const registry = `${folder}/agents/mod.ts`;
    const before = await Deno.readTextFile(registry);
    await Deno.writeTextFile(`${folder}/agents/newcomer.ts`, newcomer);
    await Deno.writeTextFile(
      registry,
      `import newcomer from "./newcomer.ts";\n${before.replace("  echo,\n", "  echo,\n  newcomer,\n")}`,
    );
    await server.untilTold("registered with LiveKit", undefined, 2);

    const { call, dispatches } = clients(livekit);
    const room = newRoomName();
    await using caller = await call(room);
    await dispatches.createDispatch(room, "newcomer");
    await untilGreeted(caller);
    assertEquals(caller.agent()?.attributes["lk.agent.name"], "newcomer");
    assertEquals(server.told("LiveKit lost a dispatch", room), []);
  });
});
