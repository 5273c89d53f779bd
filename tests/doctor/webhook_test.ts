import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { loadConfig } from "../../src/config.ts";
import type { Finding } from "../../src/doctor/check.ts";
import { findServer, portChecks, serverPlace } from "../../src/doctor/server.ts";
import { webhookChecks } from "../../src/doctor/webhook.ts";
import { fakeClock } from "../fakes/clock.ts";
import { webhookBody, webhookToken } from "../fakes/webhooks.ts";
import { answering, freePort } from "./emulated.ts";

const keys = { apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };

/** The check of a server that listens, or is to, on `port`; LiveKit does `onRoom` when a room is made. */
async function examine(
  { port, onRoom = () => {} }: { readonly port: number; readonly onRoom?: (room: string) => unknown },
) {
  const clock = fakeClock();
  await using livekit = answering(async ({ path, body }) => {
    if (path.endsWith("/CreateRoom")) await onRoom(JSON.parse(body).name);
    return Response.json({});
  });
  const place = serverPlace(
    loadConfig({ HOST: "127.0.0.1", PORT: String(port) }),
    `http://127.0.0.1:${port}`,
  );
  const found = (signal: AbortSignal) => findServer(place, signal);
  const [check] = webhookChecks({
    livekit: { ...keys, url: livekit.url.replace("http", "ws") },
    place,
    found,
    clock,
  });
  let finding: Finding | undefined;
  const done = check?.run({ signal: new AbortController().signal }).then((found) => finding = found);
  // Time passes only while the check waits.
  while (!finding) await (clock.pending > 0 ? clock.advance(100) : clock.settle());
  await done;
  return `${finding.status}: ${finding.text}`;
}

/** LiveKit sends the webhook of a room that has begun to `port`, signed with `secret`. */
async function tell(port: number, room: string, secret = keys.apiSecret, path = "/webhooks/livekit") {
  const body = webhookBody("room_started", { room: { name: room, sid: "RM_1" } });
  const authorization = await webhookToken(body, { ...keys, apiSecret: secret });
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { authorization },
    body,
  });
  await response.body?.cancel();
}

describe("the doctor and LiveKit's webhook", () => {
  it("takes it where no server runs, and looks at its signature", async () => {
    const other = "another-secret-of-at-least-32-characters";
    const cases: [send: (port: number, room: string) => unknown, expected: RegExp][] = [
      [(port, room) => tell(port, room), /^ok: LiveKit's webhooks arrive here, signed by LIVEKIT_API_KEY/],
      [
        (port, room) => tell(port, room, other),
        /^failed: a webhook came here that is not signed by LIVEKIT_API_KEY \(.+\)/,
      ],
    ];
    for (const [send, expected] of cases) {
      const port = freePort();
      assertMatch(await examine({ port, onRoom: (room) => send(port, room) }), expected);
    }
  });

  it("finds it at the running server, which counts it", async () => {
    const cases: [counted: string, expected: RegExp][] = [
      [
        'repartee_webhooks_total{event="room_started",outcome="followed"}',
        /^ok: .* arrive at the running server/,
      ],
      [
        'repartee_http_requests_total{method="POST",route="/webhooks/livekit",status="401"}',
        /^failed: a webhook came at the running server .* \(the server answered 401\): choose that key/,
      ],
    ];
    for (const [counted, expected] of cases) {
      let count = 3;
      await using server = answering(({ path }) =>
        path === "/healthz"
          ? Response.json({ status: "ok" })
          : new Response(`# HELP x\n${counted} ${count}\n`)
      );
      assertMatch(await examine({ port: server.port, onRoom: () => count++ }), expected);
    }
  });

  it("says how to enter it when none comes, nor one of another room", async () => {
    const port = freePort();
    assertMatch(
      await examine({ port, onRoom: () => tell(port, "other-room") }),
      /^warning: no webhook of a new room came here within 4 s: .* enter .* \/webhooks\/livekit, at 127/,
    );
  });

  it("asks the running server no more often than that answers", async () => {
    await using server = answering(({ path }) =>
      path === "/healthz" ? Response.json({ status: "ok" }) : new Response("# HELP x\n")
    );
    assertMatch(
      await examine({ port: server.port }),
      /^warning: no webhook of a new room came at the running server/,
    );
    assert(server.asked.filter(({ path }) => path === "/metrics").length <= 10);
  });

  it("is not tried where another program is, or where the port is not known", async () => {
    await using other = answering(() => new Response("Hi"));
    assertEquals(await examine({ port: other.port }), "skipped: not tried: see port");
    assertMatch(await examine({ port: 0 }), /^skipped: not tried: PORT is 0/);
  });
});

describe("the doctor and the port", () => {
  const look = async (port: number, metricsPort?: number) => {
    const more = metricsPort === undefined ? {} : { METRICS_PORT: String(metricsPort) };
    const config = loadConfig({ HOST: "127.0.0.1", PORT: String(port), ...more });
    const place = serverPlace(config, `http://127.0.0.1:${port}`);
    const [check] = portChecks(config, { place, found: (signal) => findServer(place, signal) });
    const finding = await check?.run({ signal: new AbortController().signal });
    return `${finding?.status}: ${finding?.text}`;
  };

  it("says who is there", async () => {
    await using other = answering(() => new Response("Hi"));
    await using running = answering(() => Response.json({ status: "ok" }));
    const port = freePort();
    assertEquals(await look(port), `ok: 127.0.0.1:${port} is free`);
    assertEquals(await look(running.port), `ok: a Repartee server is running on 127.0.0.1:${running.port}`);
    assertMatch(
      await look(other.port),
      /^failed: the server cannot listen on .*; end the program that does, or change HOST or PORT/,
    );
    assertMatch(await look(port, other.port), /^failed: .* change HOST or METRICS_PORT/);
  });
});
