/** `deno task dispatch ROOM [AGENT]`: asks the running server to send an agent to a room. */
import * as z from "zod";
import { systemClock as clock } from "../clock.ts";
import { signToken } from "../dispatch/access.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { addressOf, argumentsOf, liveKitConfig, runTask } from "./task.ts";

/** The server answers a dispatch within 2 s of LiveKit's own answer. */
const timeoutMs = 15_000;

const answered = z.object({ sessionId: z.string(), agent: z.string(), state: z.string() });
const refused = z.object({ detail: z.string() });

await runTask(async () => {
  const { values, positionals } = argumentsOf({
    usage: "deno task dispatch ROOM [AGENT] [--metadata TEXT] [--participant IDENTITY] [--url URL]",
    options: { metadata: { type: "string" }, participant: { type: "string" }, url: { type: "string" } },
    min: 1,
    max: 2,
  });
  const [room = "", agent] = positionals;
  const { metadata, participant } = values;
  refuseBrokenJson(metadata);
  const config = await liveKitConfig();
  const address = serverAddress(values.url) ?? addressOf(config);
  const grant = { room, roomAdmin: true };
  const token = await signToken(config.livekit, { identity: "deno-task-dispatch", ttlSeconds: 60, grant });
  const response = await ask(address, token, { room, agent, metadata, participant });
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) {
    const { data } = refused.safeParse(answer);
    throw new ConfigError(data?.detail ?? unexpected(address, response));
  }
  const { data } = answered.safeParse(answer);
  if (!data) throw new ConfigError(unexpected(address, response));
  const where = data.state !== "connected"
    ? "is on its way to"
    : response.status === 200
    ? "is already in"
    : "is in";
  console.log(`${data.agent} ${where} ${room}: ${data.sessionId}`);
});

/** Metadata is any text; what begins as JSON does and is none, a shell has usually taken the quotes of. */
function refuseBrokenJson(metadata = ""): void {
  if (!/^\s*[{[]/.test(metadata)) return;
  try {
    JSON.parse(metadata);
  } catch (error) {
    throw new ConfigError(
      `--metadata is ${JSON.stringify(metadata)}, which is not JSON (${
        messageOf(error)
      }); expected JSON in quotes, such as ` +
        `'{"plan": "gold"}', or text that does not begin with { or [`,
    );
  }
}

/** What `--url` says, without the slash at its end. */
function serverAddress(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const parsed = URL.parse(url);
  if (parsed?.protocol === "http:" || parsed?.protocol === "https:") return url.replace(/\/+$/, "");
  throw new ConfigError(
    `--url is ${JSON.stringify(url)}; expected the server's address, such as http://localhost:8080`,
  );
}

async function ask(
  address: string,
  token: string,
  body: Record<string, string | undefined>,
): Promise<Response> {
  const tooLong = new AbortController();
  using _timer = clock.after(timeoutMs, () => tooLong.abort());
  try {
    return await fetch(`${address}/dispatch`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: tooLong.signal,
    });
  } catch {
    throw new ConfigError(
      `No server answers at ${address}; expected one that was started with \`deno task start\`, or its address in --url.`,
    );
  }
}

function unexpected(address: string, { status, headers }: Response): string {
  const type = headers.get("content-type") ?? "nothing";
  return `${address} answered ${status} with ${type}; expected a Repartee server, whose address can be given with --url.`;
}
