/** The doctor at a real livekit-server: all is well, with a server running or not, and with a wrong secret it is not. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { runDoctor } from "../tasks/doctor.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const port = freePort();
const livekit = await startLiveKitServer({ webhookUrl: `http://127.0.0.1:${port}/webhooks/livekit` });
const options = { ignore: livekit === undefined };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const env = () => ({
  LIVEKIT_URL: livekit?.url ?? "",
  LIVEKIT_API_KEY: livekit?.apiKey ?? "",
  LIVEKIT_API_SECRET: livekit?.apiSecret ?? "",
  HOST: "127.0.0.1",
  PORT: String(port),
});
const statuses = ({ checks }: Awaited<ReturnType<typeof runDoctor>>) =>
  Object.fromEntries(
    checks.filter(({ name }) => /livekit|clock|port/.test(name)).map(({ name, status }) => [name, status]),
  );
const well = {
  port: "ok",
  clock: "ok",
  livekit: "ok",
  "livekit signal": "ok",
  "livekit media": "ok",
  "livekit worker": "ok",
  "livekit webhook": "ok",
};

describe("deno task doctor", () => {
  it("finds LiveKit well, and listens for its webhook itself", options, async () => {
    const examination = await runDoctor(env());
    assertEquals([statuses(examination), examination.code], [well, 0], examination.output);
    const webhook = examination.checks.find(({ name }) => name === "livekit webhook");
    assertMatch(webhook?.text ?? "", /arrive here, signed by LIVEKIT_API_KEY/);
  });

  it("finds the running server, where LiveKit's webhook arrives", options, async () => {
    await using server = await startServer({ ...env(), AUTO_AGENT: "assistant" });
    await server.url;
    const examination = await runDoctor(env());
    assertEquals([statuses(examination), examination.code], [well, 0], examination.output);
    const webhook = examination.checks.find(({ name }) => name === "livekit webhook");
    assertMatch(webhook?.text ?? "", /arrive at the running server/);
    assert(!server.log.some(({ msg }) => msg === "agent joined"), "an agent was sent to the doctor's room");
  });

  it("says that the secret is another, and shows none", options, async () => {
    const secret = "another-secret-of-at-least-32-characters";
    const examination = await runDoctor({ ...env(), LIVEKIT_API_SECRET: secret });
    assertEquals(examination.code, 1);
    const found = examination.checks.find(({ name }) => name === "livekit");
    assertMatch(
      `${found?.status}: ${found?.text}`,
      /^failed: .* knows the key, but the secret is another: set LIVEKIT_API_SECRET/,
    );
    assertEquals(statuses(examination)["livekit webhook"], "skipped");
    assert(!examination.output.includes(secret) && !/eyJ/.test(examination.output));
  });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
