/** `deno task token ROOM IDENTITY`: a LiveKit access token, and where to use it. */
import { signToken } from "../dispatch/access.ts";
import { addressOf, argumentsOf, liveKitConfig, runTask } from "./task.ts";

const ttlSeconds = 6 * 60 * 60;

await runTask(async () => {
  const { values, positionals } = argumentsOf({
    usage: "deno task token ROOM IDENTITY [--admin]",
    options: { admin: { type: "boolean", default: false } },
    min: 2,
    max: 2,
  });
  const [room = "", identity = ""] = positionals;
  const config = await liveKitConfig();
  const { livekit } = config;
  const join = { room, roomJoin: true, canPublish: true, canSubscribe: true, canPublishData: true };
  const grant = values.admin ? { ...join, roomAdmin: true } : join;
  const token = await signToken(livekit, { identity, ttlSeconds, grant });
  const page = new URL("https://meet.livekit.io/custom");
  page.searchParams.set("liveKitUrl", livekit.url);
  page.searchParams.set("token", token);
  // Words go to the other output, so that TOKEN=$(deno task token …) holds the token alone.
  console.error(
    `${identity} joins ${room} at ${livekit.url} with this token, for 6 hours; in a browser: ${page}`,
  );
  if (values.admin) {
    console.error(
      `It also dispatches to ${room} and asks for its sessions, as a bearer token at ${addressOf(config)}.`,
    );
  }
  console.log(token);
});
