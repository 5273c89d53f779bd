/** What is left in the process of rooms that LiveKit's server closed while the agent was in them. */
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
  it("leaves the process one voice, which later callers hear, and no more", async () => {
    await using server = await startRepartee(access);
    const deleted = (room: string) => rooms.deleteRoom(room);
    const left = (room: string, dispatchId: string) => dispatches.deleteDispatch(dispatchId, room);
    for (const end of [left, deleted, deleted, left, deleted]) {
      const room = newRoomName();
      await using caller = await call(room);
      const { id } = await dispatches.createDispatch(room, "assistant");
      await caller.untilSpeech({ sinceMs: 0, timeoutMs: 15_000 });
      await until(async () => await voicesOf(server) === 1, "the voices of the calls before to end");
      await end(room, id);
      await server.untilTold("closed", room);
    }
  });
});
