/** What tests of LiveKit's own dispatches have in common: servers as operators run them, callers, and LiveKit's clients. */
import { AgentDispatchClient, RoomServiceClient } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import type { LiveKitServer } from "./livekit_server.ts";
import { type LogEntry, startServer } from "./server.ts";

/** What `untilGreeted` waits for. */
export const greeting = "Hello! How can I help you today?";

export type RunningServer = Awaited<ReturnType<typeof startRepartee>>;

/** The server, which is ready when LiveKit knows it as a worker, unless that is not to be waited for. */
export async function startRepartee(
  { url, apiKey, apiSecret }: LiveKitServer,
  { env = {}, registered = true, folder }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly registered?: boolean;
    /** See startServer. */
    readonly folder?: string;
  } = {},
) {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(await startDeepgramEmulator({ apiKey: "deepgram" }));
  const model = stack.use(await startOpenAIEmulator({ apiKey: "sk-openai" }));
  const server = stack.use(
    await startServer({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      OPENAI_API_KEY: "sk-openai",
      OPENAI_BASE_URL: model.url,
      DEEPGRAM_API_KEY: "deepgram",
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      ...env,
    }, folder),
  );
  const address = await server.url;
  /** The lines of the log with that message, about `room` where one is given. */
  const told = (msg: string, room?: string) =>
    server.log.filter((line: LogEntry) => line.msg === msg && (room === undefined || line.room === room));
  const untilTold = (msg: string, room?: string, times = 1) =>
    until(() => told(msg, room).length >= times && told(msg, room), `"${msg}", ${times} times`, 20_000);
  if (registered) await untilTold("registered with LiveKit");
  const started = stack.move();
  return { server, address, told, untilTold, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** LiveKit's clients, and somebody who calls. */
export function clients(access: Pick<LiveKitServer, "url" | "httpUrl" | "apiKey" | "apiSecret">) {
  const { httpUrl, apiKey, apiSecret } = access;
  const rooms = new RoomServiceClient(httpUrl, apiKey, apiSecret);
  return {
    dispatches: new AgentDispatchClient(httpUrl, apiKey, apiSecret),
    rooms,
    /** The identities of the agents in the room. */
    async agents(room: string): Promise<string[]> {
      const there = await rooms.listParticipants(room);
      return there.filter(({ kind }) => kind === 4).map(({ identity }) => identity);
    },
    call: (roomName: string, options: { readonly identity?: string; readonly token?: string } = {}) =>
      joinCaller({ ...access, roomName, ...options }),
  };
}

export const newRoomName = (): string => `room-${crypto.randomUUID()}`;

/** Waits for the agent to have greeted this caller. */
export const untilGreeted = (caller: Caller): Promise<boolean> =>
  until(
    () => caller.transcripts.some(({ text, closed }) => closed && text === greeting),
    "the greeting",
    15_000,
  );
