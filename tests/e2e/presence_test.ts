/** Whatever became of a room before, whoever asks for an agent has it, or is told why not: the real process and LiveKit. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { SignJWT } from "jose";
import { webhookBody, webhookToken } from "../fakes/webhooks.ts";
import { type Caller, until } from "./caller.ts";
import { clients, newRoomName, type RunningServer, startRepartee } from "./dispatch_world.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: !livekit, sanitizeOps: false, sanitizeResources: false };
const access = livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const { call, rooms, agents } = clients(access);
const patientMs = 30_000;

let server: RunningServer;
beforeAll(async () => {
  if (!livekit) return;
  server = await startRepartee(livekit, { env: { LIVEKIT_WORKER: "0" }, registered: false });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await livekit?.[Symbol.asyncDispose]();
});

/** A token by a clock that is `skewS` ahead of ours, or behind, for `ttlS`; seconds. */
function signedBy(skewS: number, room: string, ttlS = 60): Promise<string> {
  const now = Math.floor(Date.now() / 1000) + skewS;
  return new SignJWT({ video: { room, roomAdmin: true } }).setProtectedHeader({ alg: "HS256" })
    .setIssuer(access.apiKey).setSubject("operator").setIssuedAt(now).setNotBefore(now)
    .setExpirationTime(now + ttlS).sign(new TextEncoder().encode(access.apiSecret));
}

async function dispatch(room: string, { agent = "echo", token = signedBy(0, room) } = {}) {
  const response = await fetch(`${server.address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token}`, "content-type": "application/json" },
    body: JSON.stringify({ room, agent }),
  });
  const { sessionId, state, detail } = await response.json();
  return { status: response.status, sessionId: String(sessionId), state, detail };
}

const open = (name: string) => rooms.createRoom({ name, emptyTimeout: 60, departureTimeout: 60 });
const untilEnded = (room: string) =>
  until(() => server.told("session ended", room).length > 0, "the first session's end", patientMs);

/** What became of the room before somebody asks, and who is in it then. */
const before: Record<string, (room: string) => Promise<Caller | void>> = {
  "nobody has made": async () => {},
  "was made, and is empty": async (room) => void await open(room),
  "the caller is in already": (room) => call(room),
  "has the agent already": async (room) => void await dispatch(room),
  "the caller has loaded its page anew in": async (room) => {
    await open(room);
    const first = await call(room);
    await dispatch(room);
    await until(() => first.agent(), "the agent", patientMs);
    await first.leave();
    return await call(room);
  },
  "has ended, and somebody calls again": async (room) => {
    await open(room);
    const first = await call(room);
    await dispatch(room);
    await until(() => first.agent(), "the agent", patientMs);
    await first.leave();
    await untilEnded(room);
    return await call(room);
  },
  "was deleted and made again by the same name": async (room) => {
    await open(room);
    await dispatch(room);
    await rooms.deleteRoom(room);
    await open(room);
  },
  "was deleted and made again, when the agent has left": async (room) => {
    await open(room);
    await dispatch(room);
    await rooms.deleteRoom(room);
    await untilEnded(room);
    await open(room);
  },
};

describe("a dispatch to a room that", options, () => {
  for (const [what, prepare] of Object.entries(before)) {
    it(`${what} brings the agent: it is there when the answer says so`, async () => {
      const room = newRoomName();
      const there = await prepare(room);
      const askedMs = performance.now();
      const answer = await dispatch(room);
      const tookMs = performance.now() - askedMs;
      const agent = `agent-${answer.sessionId}`;
      assert([200, 201, 202].includes(answer.status), JSON.stringify(answer));
      assertEquals(answer.state, answer.status === 202 ? "connecting" : "connected");
      if (answer.state === "connected") assert((await agents(room)).includes(agent), "it is not there");
      else assert(tookMs > 2_000, `it is on its way after ${tookMs} ms`);
      await using caller = there ?? await call(room);
      await until(() => caller.agent()?.identity === agent, "the agent, by the caller", patientMs);
      await until(async () => String(await agents(room)) === agent, "no other agent", patientMs);
    });
  }

  it("cannot have such an agent is told of in words", async () => {
    const room = newRoomName();
    assertEquals((await dispatch(room)).status, 201);
    const other = await dispatch(room, { agent: "nobody" });
    assertEquals([other.status, other.state], [404, undefined]);
    assertMatch(other.detail, /nobody/);
  });
});

describe("clocks that differ", options, () => {
  const skews: [string, number, boolean][] = [
    ["a minute behind", -60, true],
    ["a minute ahead", 60, true],
    ["two minutes behind", -120, false],
    ["two minutes ahead", 120, false],
  ];
  for (const [what, skewS, isTaken] of skews) {
    it(`by which a token is signed: ${what}, it is ${isTaken ? "taken" : "refused in words"}`, async () => {
      const room = newRoomName();
      const answer = await dispatch(room, { token: signedBy(skewS, room, 10) });
      assertEquals(answer.status, isTaken ? 201 : 401);
      if (!isTaken) assertMatch(answer.detail, /^The token is not valid: /);
    });

    it(`by which a webhook is signed: ${what}, it is ${isTaken ? "taken" : "refused in words"}`, async () => {
      const body = webhookBody("room_started", { room: { name: newRoomName(), sid: "RM_none" } });
      const response = await fetch(`${server.address}/webhooks/livekit`, {
        method: "POST",
        headers: {
          authorization: await webhookToken(body, access, { nbf: skewS, exp: skewS + 10 }),
          "content-type": "application/webhook+json",
        },
        body,
      });
      const answer = await response.text();
      assertEquals(response.status, isTaken ? 200 : 401);
      if (!isTaken) assertMatch(answer, /signed/);
    });
  }
});
