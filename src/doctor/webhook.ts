/** Whether LiveKit's webhooks arrive: a room is made, and LiveKit is to tell of it. */
import { WebhookReceiver } from "livekit-server-sdk";
import type { Clock } from "../clock.ts";
import type { LiveKitConfig } from "../config.ts";
import { messageOf } from "../errors.ts";
import { type Check, failed, type Finding, ok, skipped, warning } from "./check.ts";
import { livekitName, temporaryRoom } from "./livekit.ts";
import type { ServerFound, ServerPlace } from "./server.ts";

export interface WebhookOptions {
  readonly livekit: LiveKitConfig;
  readonly place: ServerPlace;
  readonly found: (signal: AbortSignal) => Promise<ServerFound>;
  readonly clock: Clock;
}

/** LiveKit sends one within 0.3 s, and once more after each of two seconds when it is refused. */
const waitMs = 4_000;
/** A running server is asked so often, which answers 20 requests for its metrics at once, and then two a second. */
const lookEveryMs = 500;
const path = "/webhooks/livekit";

export function webhookChecks(options: WebhookOptions): Check[] {
  const { livekit, place, found } = options;
  const run: Check["run"] = async ({ signal }) => {
    const server = await found(signal);
    if (server.type === "taken") return skipped("not tried: see port");
    if (place.port === 0) return skipped("not tried: PORT is 0, so that nobody can know where to send them");
    await using watch = server.type === "running"
      ? await watchServer(place, signal)
      : listenFor(livekit, place);
    await using room = await temporaryRoom(livekit, signal);
    return await comes(watch, { ...options, room: room.name, running: server.type === "running", signal });
  };
  return [{ name: "livekit webhook", after: livekitName, run }];
}

/** "refused": not signed as it should be; who knows by whom it was sent. */
type Seen = { readonly type: "genuine" } | { readonly type: "refused"; readonly why: string };

interface Watch extends AsyncDisposable {
  /** What has come by now. */
  seen(room: string): Promise<Seen | undefined>;
}

async function comes(
  watch: Watch,
  { livekit, place, room, running, signal, clock }: WebhookOptions & {
    readonly room: string;
    readonly running: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Finding> {
  const where = running ? "at the running server" : "here";
  let seen: Seen | undefined;
  for (const untilMs = clock.now() + waitMs; clock.now() < untilMs;) {
    seen = await watch.seen(room);
    if (seen?.type === "genuine") return ok(`LiveKit's webhooks arrive ${where}, signed by LIVEKIT_API_KEY`);
    await clock.sleep(lookEveryMs, { signal });
  }
  if (seen?.type === "refused") {
    return failed(
      `a webhook came ${where} that is not signed by LIVEKIT_API_KEY (${seen.why}): choose that key where the ` +
        "webhook is entered with LiveKit (webhook.api_key)",
    );
  }
  const { host } = new URL(livekit.url);
  const seconds = waitMs / 1000;
  return warning(
    `no webhook of a new room came ${where} within ${seconds} s: if agents are to come by themselves, enter this ` +
      `server's public address, with ${path}, at ${host}, from where port ${place.port} must be reached`,
  );
}

/** Listens in the server's place. */
function listenFor({ apiKey, apiSecret }: LiveKitConfig, { host, port }: ServerPlace): Watch {
  const receiver = new WebhookReceiver(apiKey, apiSecret);
  const rooms = new Set<string>();
  let refused: string | undefined;
  const server = Deno.serve({ hostname: host, port, onListen() {} }, async (request) => {
    if (new URL(request.url).pathname !== path) return new Response(null, { status: 404 });
    try {
      const token = request.headers.get("authorization")?.replace(/^Bearer\s+/i, "");
      const { room } = await receiver.receive(await request.text(), token);
      if (room) rooms.add(room.name);
    } catch (error) {
      refused = messageOf(error);
    }
    return new Response(); // or it would come again
  });
  return {
    seen(room) {
      if (rooms.has(room)) return Promise.resolve({ type: "genuine" });
      return Promise.resolve(refused === undefined ? undefined : { type: "refused", why: refused });
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Reads what the running server has counted. */
async function watchServer({ metricsUrl }: ServerPlace, signal: AbortSignal): Promise<Watch> {
  const count = async () => {
    const response = await fetch(metricsUrl, { signal });
    if (!response.ok) {
      throw new Error(`${metricsUrl} answers ${response.status}; expected the server's metrics`);
    }
    const text = await response.text();
    const sum = (sample: RegExp) =>
      [...text.matchAll(sample)].reduce((total, [, value]) => total + Number(value), 0);
    return {
      genuine: sum(/^repartee_webhooks_total\{event="room_started".*\} (\d+)$/gm),
      refused: sum(/^repartee_http_requests_total\{.*route="\/webhooks\/livekit",status="401"\} (\d+)$/gm),
    };
  };
  const before = await count();
  return {
    async seen() {
      const { genuine, refused } = await count();
      if (genuine > before.genuine) return { type: "genuine" };
      return refused > before.refused ? { type: "refused", why: "the server answered 401" } : undefined;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
