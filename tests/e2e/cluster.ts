/** Several servers that share a Redis, as on several machines, and whoever asks them for agents. */
import { AccessToken, AgentDispatchClient, RoomServiceClient } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { type OpenAIEmulatorOptions, startOpenAIEmulator } from "../emulators/openai.ts";
import { webhookBody, webhookToken } from "../fakes/webhooks.ts";
import { type LogEntry, type ServerProcess, startServer } from "./server.ts";

/** What LiveKit is reached with. */
export interface Access {
  /** `ws://…` */
  readonly url: string;
  readonly httpUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** An answer of `/dispatch`. */
export interface Answer {
  readonly status: number;
  readonly body: { readonly sessionId?: string; readonly state?: string; readonly detail?: string };
}

export interface Cluster extends AsyncDisposable {
  readonly servers: readonly ServerProcess[];
  readonly admin: RoomServiceClient;
  /** Starts another server. */
  add(env?: Readonly<Record<string, string>>): Promise<number>;
  /** Asks one of them for an agent. */
  dispatch(server: number, room: string): Promise<Answer>;
  /** Has the session's agent say something; the answer's status. */
  say(server: number, room: string, sessionId: string, text: string): Promise<number>;
  /** Asks for a session, by GET, or to end it; the answer's status. */
  session(server: number, room: string, sessionId: string, method: "GET" | "DELETE"): Promise<number>;
  /** The sessions that one of them lists, by HTTP and as LiveKit's dispatches. */
  list(server: number, room: string): Promise<{ readonly http: string[]; readonly dispatches: string[] }>;
  /** Asks as LiveKit's own client does; returns the session's id. */
  twirp(server: number, room: string): Promise<string>;
  /** Has LiveKit send the agent, by whichever of them it chooses; the dispatch's id. */
  job(room: string): Promise<string>;
  /** LiveKit's dispatches. */
  readonly jobs: AgentDispatchClient;
  /** Tells one of them what LiveKit would; the answer's status. */
  webhook(server: number, body: string, exp?: number): Promise<number>;
  /** The lines of that message about `room` in all their logs, with the number of the server. */
  told(room: string, msg: string): (LogEntry & { readonly server: number })[];
  /** Makes a room that asks for the agent; its SID. */
  open(room: string): Promise<string>;
  /** The identities of the agents that are in the room. */
  agentsIn(room: string): Promise<string[]>;
}

export async function startCluster(
  { livekits, redisUrl, env = {}, agent = "echo", answer = () => "Yes.", transcripts = [] }: {
    /** The LiveKit of each server. */
    readonly livekits: readonly Access[];
    readonly redisUrl: string;
    readonly env?: Readonly<Record<string, string>>;
    /** Whom they are asked for (default: one that says nothing by itself). */
    readonly agent?: string;
    /** What the model answers, and what is heard of whoever speaks (default: nothing). */
    readonly answer?: OpenAIEmulatorOptions["answer"];
    readonly transcripts?: readonly string[];
  },
): Promise<Cluster> {
  const [livekit] = livekits;
  if (!livekit) throw new Error("expected a LiveKit for each server");
  const { apiKey, apiSecret, httpUrl } = livekit;
  const owned = new AsyncDisposableStack();
  await using stack = new AsyncDisposableStack();
  stack.use(owned);
  const ears = owned.use(await startDeepgramEmulator({ apiKey: "deepgram", transcripts }));
  const model = owned.use(await startOpenAIEmulator({ apiKey: "openai", answer }));
  const servers: ServerProcess[] = [];
  const addresses: string[] = [];
  const jobs = new AgentDispatchClient(httpUrl, apiKey, apiSecret);
  const admin = new RoomServiceClient(httpUrl, apiKey, apiSecret);

  const add = async (access: Access, more: Readonly<Record<string, string>> = {}): Promise<number> => {
    const server = owned.use(
      await startServer({
        LIVEKIT_URL: access.url,
        LIVEKIT_API_KEY: apiKey,
        LIVEKIT_API_SECRET: apiSecret,
        OPENAI_API_KEY: "openai",
        OPENAI_BASE_URL: model.url,
        DEEPGRAM_API_KEY: "deepgram",
        DEEPGRAM_BASE_URL: ears.url,
        HOST: "127.0.0.1",
        REDIS_URL: redisUrl,
        ...env,
        ...more,
      }),
    );
    const at = servers.push(server) - 1;
    addresses[at] = await server.url;
    return at;
  };
  const patient = { requestTimeout: 60 }; // machines that run many tests are slow
  const clientOf = (server: number) =>
    new AgentDispatchClient(addresses[server] ?? "", apiKey, apiSecret, patient);
  const sessionOf = ({ id }: { readonly id: string }) => id.replace("AD_", "session_");
  await Promise.all(livekits.map((access) => add(access)));
  stack.move(); // nothing has failed: all is disposed of with the cluster
  return {
    servers,
    admin,
    jobs,
    add: (more) => add(livekit, more),
    async dispatch(server, room) {
      const token = await adminToken(livekit, room);
      const response = await fetch(`${addresses[server]}/dispatch`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ room, agent }),
      });
      return { status: response.status, body: await response.json() };
    },
    async say(server, room, sessionId, text) {
      const response = await fetch(`${addresses[server]}/sessions/${sessionId}/say`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${await adminToken(livekit, room)}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ text }),
      });
      await response.body?.cancel();
      return response.status;
    },
    async session(server, room, sessionId, method) {
      const authorization = `Bearer ${await adminToken(livekit, room)}`;
      const response = await fetch(`${addresses[server]}/sessions/${sessionId}`, {
        method,
        headers: { authorization },
      });
      await response.body?.cancel();
      return response.status;
    },
    async list(server, room) {
      const authorization = `Bearer ${await adminToken(livekit, room)}`;
      const response = await fetch(`${addresses[server]}/sessions`, { headers: { authorization } });
      const { sessions } = await response.json();
      return {
        http: sessions.map(({ sessionId }: { readonly sessionId: string }) => sessionId),
        dispatches: (await clientOf(server).listDispatch(room)).map(sessionOf),
      };
    },
    async twirp(server, room) {
      return sessionOf(await clientOf(server).createDispatch(room, agent));
    },
    async job(room) {
      return (await jobs.createDispatch(room, agent)).id;
    },
    async webhook(server, body, exp = 300) {
      const response = await fetch(`${addresses[server]}/webhooks/livekit`, {
        method: "POST",
        headers: {
          authorization: await webhookToken(body, livekit, { exp }),
          "content-type": "application/webhook+json",
        },
        body,
      });
      await response.body?.cancel();
      return response.status;
    },
    told: (room, msg) =>
      servers.flatMap(({ log }, server) =>
        log.filter((line) => line.room === room && line.msg === msg).map((line) => ({ ...line, server }))
      ),
    async open(room) {
      return (await admin.createRoom({ name: room, metadata: JSON.stringify({ agent }), emptyTimeout: 60 }))
        .sid;
    },
    async agentsIn(room) {
      const there = await admin.listParticipants(room);
      return there.map(({ identity }) => identity).filter((identity) => identity.startsWith("agent-"));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The webhook that tells of a new room. */
export const roomStarted = (room: string, sid: string): string =>
  webhookBody("room_started", { room: { name: room, sid } });

function adminToken({ apiKey, apiSecret }: Access, room: string): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  token.addGrant({ room, roomAdmin: true });
  return token.toJwt();
}
