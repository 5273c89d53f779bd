/** What the real livekit-server loses and never tries again is made good within 5 s, once, by the real process. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AvailabilityResponse } from "@livekit/protocol";
import { systemClock } from "../../src/clock.ts";
import { signToken } from "../../src/dispatch/access.ts";
import { connect } from "../../src/dispatch/worker/connection.ts";
import { until } from "./caller.ts";
import { clients, newRoomName, type RunningServer, startRepartee, untilGreeted } from "./dispatch_world.ts";
import { type LiveKitServer, startLiveKitServer } from "./livekit_server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const access = livekit as LiveKitServer; // every test is ignored without it
const { call, dispatches, rooms } = clients(livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" });

/** Another worker for "assistant"; what it does with a job that it is offered. */
async function startOtherWorker(does: "nothing" | "take-and-die") {
  const offered = Promise.withResolvers<void>();
  const registered = Promise.withResolvers<void>();
  const token = await signToken(access, { identity: "other", ttlSeconds: 60, grant: { agent: true } });
  const worker = connect({
    url: access.url,
    token,
    agentName: "assistant",
    onMessage({ case: type, value }) {
      if (type === "register") registered.resolve();
      if (type === "assignment") worker.close();
      if (type !== "availability") return;
      offered.resolve();
      if (does === "nothing") return;
      const jobId = value.job?.id ?? "";
      const answer = new AvailabilityResponse({
        jobId,
        available: true,
        participantIdentity: "agent-that-dies",
      });
      worker.send({ case: "availability", value: answer });
    },
    clock: systemClock,
  });
  await registered.promise;
  return { offered: offered.promise, [Symbol.dispose]: () => worker.close() };
}

/** The one repair there was: how long after `sinceMs` its agent was there. */
async function repaired({ untilTold, told }: RunningServer, room: string, sinceMs: number): Promise<number> {
  const [joined] = await untilTold("agent joined", room);
  const tookMs = Date.parse(joined?.time ?? "") - sinceMs;
  assert(tookMs <= 5_000, `the agent was there after ${tookMs} ms`);
  assertEquals(told("LiveKit lost a dispatch", room).length, 1);
  assertEquals(told("agent joined", room).length, 1);
  return tookMs;
}

describe("a dispatch that livekit-server has lost", () => {
  it(
    "before anybody was registered, or to a worker that says nothing, or dies, is made good",
    options,
    async () => {
      const [early, silent, dying] = [newRoomName(), newRoomName(), newRoomName()];
      const callers = await Promise.all([early, silent, dying].map((room) => call(room)));
      await dispatches.createDispatch(early, "assistant");
      {
        using other = await startOtherWorker("nothing");
        await dispatches.createDispatch(silent, "assistant");
        await other.offered;
      }
      {
        using other = await startOtherWorker("take-and-die");
        await dispatches.createDispatch(dying, "assistant");
        await other.offered;
      }
      await using server = await startRepartee(access);
      const [registered] = server.told("registered with LiveKit");
      for (const room of [early, silent, dying]) {
        await repaired(
          server,
          room,
          Date.parse(registered?.time ?? ""),
        );
      }
      await Promise.all(callers.map(untilGreeted));
      await Promise.all(callers.map((caller) => caller.leave()));
      assert(!server.server.log.some(({ level }) => level === "error"), server.server.output);
    },
  );

  it(
    "since every worker was full is made good when one has a place; what was ended stays so",
    options,
    async () => {
      await using server = await startRepartee(access, { env: { MAX_SESSIONS: "1" } });
      const [first, second] = [newRoomName(), newRoomName()];
      await using caller = await call(first);
      const { id } = await dispatches.createDispatch(first, "assistant");
      await untilGreeted(caller);
      await using other = await call(second);
      await dispatches.createDispatch(second, "assistant");
      await until(async () => (await rooms.listParticipants(second)).length === 1, "the other's arrival");

      // The caller is still there, and so is the dispatch.
      await rooms.removeParticipant(first, (await agentOf(first)) ?? "");
      const [ended] = await server.untilTold("session ended", first);
      await repaired(server, second, Date.parse(ended?.time ?? ""));
      await untilGreeted(other);
      await dispatches.deleteDispatch(id, first);
      assertEquals(server.told("agent joined", first).length, 1);
    },
  );
});

const agentOf = async (room: string) =>
  (await rooms.listParticipants(room)).find(({ kind }) => kind === 4)?.identity;
