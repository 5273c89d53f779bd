/** Whether LiveKit is reached as the server reaches it: its API, a room's signalling and media, and a worker's socket. */
import { JobType, ServerMessage, SignalResponse, WorkerMessage } from "@livekit/protocol";
import type { Clock } from "../clock.ts";
import type { LiveKitConfig } from "../config.ts";
import { signToken, type TokenRequest } from "../dispatch/access.ts";
import { messageOf } from "../errors.ts";
import { silentLog } from "../log.ts";
import { openSocket, type SocketEnd } from "../socket.ts";
import { type Answer, ask, httpAddress } from "./ask.ts";
import { type Check, failed, type Finding, ok, warning } from "./check.ts";

export interface LiveKitOptions {
  readonly livekit: LiveKitConfig;
  readonly clock: Clock;
}

/** The check that the others are for naught without. */
export const livekitName = "livekit";
const identity = "repartee-doctor";
/** Shorter ones livekit-server takes with `--dev` alone: https://docs.livekit.io/home/self-hosting/deployment/ */
const shortestSecret = 32;

export function livekitChecks(options: LiveKitOptions): Check[] {
  const { livekit, clock } = options;
  return [
    { name: livekitName, run: ({ signal }) => checkApi(livekit, signal) },
    { name: "livekit signal", after: livekitName, run: ({ signal }) => checkSignal(options, signal) },
    {
      name: "livekit media",
      after: "livekit signal",
      late: noMedia,
      run: ({ signal }) => checkMedia(livekit, clock, signal),
    },
    { name: "livekit worker", after: livekitName, run: ({ signal }) => checkWorker(options, signal) },
  ];
}

async function checkApi(livekit: LiveKitConfig, signal: AbortSignal): Promise<Finding> {
  const answer = await callRooms(livekit, { method: "ListRooms", grant: { roomList: true }, signal });
  const { host } = new URL(livekit.url);
  if (answer.status !== 200) return failed(whyRefused(host, answer));
  if (livekit.apiSecret.length < shortestSecret) {
    return warning(
      `${host} takes the keys, though the secret has fewer than ${shortestSecret} characters: make a longer one`,
    );
  }
  return ok(`${host} takes the keys`);
}

/** Calls LiveKit's RoomService. https://docs.livekit.io/reference/server/server-apis/ */
export async function callRooms(
  livekit: LiveKitConfig,
  { method, grant, body = {}, signal }: {
    readonly method: string;
    readonly grant: TokenRequest["grant"];
    readonly body?: Readonly<Record<string, unknown>>;
    readonly signal: AbortSignal;
  },
): Promise<Answer> {
  return await ask(`${httpAddress(livekit.url)}/twirp/livekit.RoomService/${method}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await tokenFor(livekit, grant)}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
    signal,
  });
}

/**
 * A room for the doctor alone; disposed, it is deleted. It names an agent that there is not, so that AUTO_AGENT does not come.
 * Rejects in words.
 */
export async function temporaryRoom(
  livekit: LiveKitConfig,
  signal: AbortSignal,
): Promise<{ readonly name: string } & AsyncDisposable> {
  const name = `repartee-doctor-${crypto.randomUUID()}`;
  const body = { name, empty_timeout: 10, metadata: JSON.stringify({ agent: identity }) };
  const answer = await callRooms(livekit, {
    method: "CreateRoom",
    grant: { roomCreate: true },
    body,
    signal,
  });
  if (answer.status !== 200) throw new Error(whyRefused(new URL(livekit.url).host, answer));
  return {
    name,
    async [Symbol.asyncDispose]() {
      const deleting = { method: "DeleteRoom", grant: { roomCreate: true }, body: { room: name }, signal };
      // Whether or not it is deleted now, LiveKit ends it as soon as it has been empty for a while.
      await callRooms(livekit, deleting).catch(() => undefined);
    },
  };
}

/** A room's WebSocket, up to the answer that one has joined. https://docs.livekit.io/reference/internals/client-protocol/ */
async function checkSignal({ livekit, clock }: LiveKitOptions, signal: AbortSignal): Promise<Finding> {
  await using room = await temporaryRoom(livekit, signal);
  const token = await tokenFor(livekit, { roomJoin: true, room: room.name });
  const query = new URLSearchParams({ access_token: token, auto_subscribe: "0", protocol: "15", sdk: "js" });
  const { host } = new URL(livekit.url);
  const first = await firstMessage(`${livekit.url}/rtc?${query}`, { headers: {}, clock, signal });
  if (!(first instanceof Uint8Array)) return failed(whyNoSocket(host, first));
  const { message } = SignalResponse.fromBinary(first);
  if (message.case !== "join") {
    return failed(`${host} answers a join with ${message.case ?? "nothing known"}`);
  }
  return ok(`joined a room at ${host}, LiveKit ${message.value.serverInfo?.version ?? "of unknown version"}`);
}

const noMedia =
  "sound does not get through: LiveKit's media ports must be reached from here, by default UDP " +
  "50000–60000 or TCP 7881, at the address that LiveKit tells (rtc.use_external_ip, rtc.node_ip)";

async function checkMedia(livekit: LiveKitConfig, clock: Clock, signal: AbortSignal): Promise<Finding> {
  await using temporary = await temporaryRoom(livekit, signal);
  const place = { roomName: temporary.name, identity, agentName: identity, subscribe: "audio" } as const;
  try {
    // Imported here: its native code does not load without --allow-ffi, of which another check tells.
    const { joinLiveKitRoom } = await import("../room/livekit/room.ts");
    await using _room = await joinLiveKitRoom({ ...livekit, ...place, clock, log: silentLog, signal });
    return ok("sound gets to LiveKit");
  } catch (error) {
    return failed(`${messageOf(error)}; ${noMedia}`);
  }
}

/** Registers as a worker does, for an agent that nobody asks for. */
async function checkWorker({ livekit, clock }: LiveKitOptions, signal: AbortSignal): Promise<Finding> {
  const headers = { authorization: `Bearer ${await tokenFor(livekit, { agent: true })}` };
  const agentName = `${identity}-${crypto.randomUUID()}`;
  const value = { type: JobType.JT_ROOM, agentName, version: "1" };
  const hello = new WorkerMessage({ message: { case: "register", value } }).toBinary();
  const { host } = new URL(livekit.url);
  const first = await firstMessage(`${livekit.url}/agent`, { headers, hello, clock, signal });
  if (!(first instanceof Uint8Array)) return failed(whyNoSocket(host, first));
  const { message } = ServerMessage.fromBinary(first);
  if (message.case === "register") return ok(`${host} registers workers`);
  return failed(`${host} answers a worker with ${message.case ?? "nothing known"}`);
}

/** What a socket says first; how it ended, when it says nothing. `hello`: what is sent when it is open. */
function firstMessage(
  url: string,
  { headers, hello, clock, signal }: {
    readonly headers: Readonly<Record<string, string>>;
    readonly hello?: Uint8Array;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Uint8Array | SocketEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | SocketEnd>();
  const socket = openSocket(url, headers, {
    open: () => hello && socket.send(hello),
    message(data) {
      resolve(typeof data === "string" ? new TextEncoder().encode(data) : data);
      socket.close();
    },
    end: resolve,
  }, { clock });
  signal.addEventListener("abort", () => {
    socket.close();
    reject(signal.reason);
  }, { once: true });
  return promise;
}

function tokenFor(livekit: LiveKitConfig, grant: TokenRequest["grant"]): Promise<string> {
  return signToken(livekit, { identity, ttlSeconds: 60, grant });
}

/** LiveKit tells by its words what is wrong with a token. */
function whyRefused(host: string, { status, text }: Answer): string {
  if (text.includes("invalid API key")) {
    return `${host} does not know the key: set LIVEKIT_API_KEY to one of that server or project`;
  }
  if (text.includes("cryptographic primitive")) {
    return `${host} knows the key, but the secret is another: set LIVEKIT_API_SECRET to the one of that key`;
  }
  if (/expired|not valid yet|issued in the future/.test(text)) {
    return `${host} refuses a token for its time: set this machine's clock`;
  }
  if (status === 401 || status === 403) {
    return `${host} refuses the keys (${status}: ${text}): check LIVEKIT_API_KEY and LIVEKIT_API_SECRET`;
  }
  return `${host} answers ${status}${text && `: ${text}`}; expected LiveKit: check LIVEKIT_URL`;
}

function whyNoSocket(host: string, end: SocketEnd): string {
  const proxy = "is there a proxy between that does not let WebSockets through?";
  switch (end.type) {
    case "refused":
      return `${host} refuses the WebSocket with ${end.status}; ${proxy}`;
    case "closed":
      return `${host} closes the WebSocket with ${end.code} ${end.reason}; ${proxy}`;
    case "unreachable":
      return `the WebSocket to ${host} cannot be opened: ${end.cause.message}; ${proxy}`;
  }
}
