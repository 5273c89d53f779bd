/** Agents that are sent to many rooms at the same moment. */
import { RoomServiceClient } from "livekit-server-sdk";
import { dispatch, inTime } from "./calls.ts";
import { spread } from "./results.ts";
import { type Setting, sleep, startReadyServer } from "./setting.ts";

/** How long an agent may take, and how often it is looked for; milliseconds. */
const patienceMs = 60_000;
const lookMs = 100;

/** Sends an agent to each of `count` rooms at once; how many came, and when, as a sentence. */
export async function connects(setting: Setting, count: number): Promise<string> {
  const { httpUrl, apiKey, apiSecret } = setting.livekit;
  const { server, url } = await startReadyServer(setting);
  await using _ = server;
  const admin = new RoomServiceClient(httpUrl, apiKey, apiSecret);
  const rooms = Array.from({ length: count }, (_, n) => `connects-${n}-${crypto.randomUUID()}`);
  await Promise.all(rooms.map((name) => admin.createRoom({ name, emptyTimeout: 300 })));
  const startedMs = performance.now();
  await Promise.all(rooms.map((room) => inTime(dispatch({ livekit: setting.livekit, url }, room))));
  const joinedMs = new Map<string, number>();
  while (joinedMs.size < count && performance.now() - startedMs < patienceMs) {
    for (const room of rooms.filter((room) => !joinedMs.has(room))) {
      const agents = await admin.listParticipants(room);
      if (agents.some(({ tracks }) => tracks.length > 0)) joinedMs.set(room, performance.now() - startedMs);
    }
    await sleep(lookMs);
  }
  for (const room of rooms.filter((room) => !joinedMs.has(room))) {
    const there = (await admin.listParticipants(room)).map(({ identity, state }) => ({ identity, state }));
    const told = server.log.filter((line) => line.room === room).map(({ msg, reason }) => ({ msg, reason }));
    console.error(`${room}: ${JSON.stringify({ there, told })}`);
  }
  const took = spread([...joinedMs.values()]);
  return `${count} rooms that ask for an agent at once: ${joinedMs.size} have one that publishes its voice, ` +
    `p50 after ${((took?.p50 ?? NaN) / 1000).toFixed(1)} s, the last after ${
      ((took?.max ?? NaN) / 1000).toFixed(1)
    } s.`;
}
