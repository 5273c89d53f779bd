/** A name's connection to an emulated LiveKit that fails, and is made again. Time moves only while nothing is under way. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { register } from "../../src/dispatch/worker/registration.ts";
import { until } from "../e2e/caller.ts";
import { type AgentServerOptions, startAgentServer } from "../emulators/livekit_agent.ts";
import { fakeClock } from "../fakes/clock.ts";

/** A name that is about to be registered. */
async function setUp(options: Pick<AgentServerOptions, "fault"> = {}) {
  const clock = fakeClock();
  const server = await startAgentServer({ clock, ...options });
  const link = register({
    livekit: { url: server.wsUrl, apiKey: "key", apiSecret: "a-secret-of-more-than-thirty-two-characters" },
    agentName: "support",
    jobs: () => [],
    onMessage() {},
    onRegistered() {},
    onLost() {},
    random: () => 0,
    clock,
  });
  await clock.advance(0);
  return {
    clock,
    server,
    registered: () => until(() => link.registered, "the registration"),
    /** Waits until nothing happens any more for exactly so long, and lets that pass. */
    async pass(ms: number, what: string) {
      await until(() => clock.nextMs - clock.now() === ms, `${what} of ${ms} ms`);
      await clock.advance(ms);
    },
    async [Symbol.asyncDispose]() {
      link[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("a connection to LiveKit", () => {
  it("is made again with growing pauses", async () => {
    await using all = await setUp({ fault: (n) => n < 4 ? { type: "refuse" } : undefined });
    for (const ms of [500, 1_000, 2_000, 4_000]) await all.pass(ms, "a pause");
    await all.registered();
    assertEquals(all.server.attempts, 5);
  });

  it("is made again when the handshake is never answered", async () => {
    await using all = await setUp({ fault: (n) => n === 0 ? { type: "no-handshake" } : undefined });
    await until(() => all.server.attempts === 1, "the attempt");
    await all.pass(5_000, "a handshake");
    await all.pass(500, "a pause");
    await all.registered();
  });

  it("is made again when it opens and nothing comes", async () => {
    await using all = await setUp({ fault: (n) => n === 0 ? { type: "half-open" } : undefined });
    await all.pass(10_000, "a registration");
    await all.pass(500, "a pause");
    await all.registered();
  });

  it("is made again when it has died in silence", async () => {
    await using all = await setUp();
    await all.registered();
    all.server.workers[0]?.freeze();
    await until(async () => {
      await all.clock.advance(500);
      return all.server.attempts === 2;
    }, "the next connection");
    await all.registered();
  });
});
