/** What is left in the process of rooms that LiveKit's server closed while the agent was in them. */
import { assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { until } from "./caller.ts";
import { clients, newRoomName, type RunningServer, startRepartee } from "./dispatch_world.ts";
import { type LiveKitServer, startLiveKitServer } from "./livekit_server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads; those of a process are counted where Linux shows them. */
const options = {
  ignore: livekit === undefined || Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
};
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const access = livekit as LiveKitServer; // every test is ignored without it
const { call, dispatches, rooms } = clients(livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" });

/** How many voices the server's native client feeds. */
async function voicesOf({ server }: RunningServer): Promise<number> {
  const args = ["-c", `cat /proc/${server.pid}/task/*/comm`];
  const { stdout } = await new Deno.Command("sh", { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((name) => name.startsWith("AudioSourceCapt"))
    .length;
}

describe("a room that is deleted while the agent is in it", options, () => {
  it("leaves no voice but one, which the next caller hears, and which ends with that call", async () => {
    await using server = await startRepartee(access);
    /** A call in which the agent is heard, and which `end` ends. */
    const callThat = async (end: (room: string) => Promise<void>) => {
      const room = newRoomName();
      await using caller = await call(room);
      await dispatches.createDispatch(room, "assistant");
      await caller.untilSpeech({ sinceMs: 0, timeoutMs: 15_000 });
      assertEquals(await voicesOf(server), 1);
      await end(room);
      await server.untilTold("closed", room);
    };
    for (const _ of [1, 2, 3]) await callThat((room) => rooms.deleteRoom(room));
    assertEquals(await voicesOf(server), 1);
    await callThat((room) => rooms.removeParticipant(room, "caller"));
    await until(async () => await voicesOf(server) === 0, "the voice's thread to end");
  });
});
