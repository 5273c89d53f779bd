/** What tests have in common of calls that go on in another process. */
import { assert } from "@std/assert";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import type { ListenOptions } from "../emulators/deepgram_listen.ts";
import type { SpeakOptions } from "../emulators/deepgram_speak.ts";
import { type OpenAIEmulatorOptions, startOpenAIEmulator } from "../emulators/openai.ts";
import { type Caller, until } from "./caller.ts";
import { startServer } from "./server.ts";

/** What LiveKit is reached with. */
export interface Access {
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** The providers, and servers of `env` on them. */
export async function resumeWorld(
  { url, apiKey, apiSecret }: Access,
  { env, model, speak, listen }: {
    readonly env: Readonly<Record<string, string>>;
    /** What the model does (default: it says what it was told). */
    readonly model?: OpenAIEmulatorOptions;
    readonly speak?: SpeakOptions;
    readonly listen?: ListenOptions;
  },
) {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(await startDeepgramEmulator({ ...speak, ...listen, apiKey: "ears" }));
  const answer = (user: string) => `You said: ${user}`;
  const openai = stack.use(await startOpenAIEmulator({ answer, ...model, apiKey: "mind" }));
  const serve = () =>
    startServer({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      OPENAI_API_KEY: "mind",
      OPENAI_BASE_URL: openai.url,
      DEEPGRAM_API_KEY: "ears",
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      LOG_LEVEL: "debug",
      ...env,
    });
  const moved = stack.move();
  return { openai, serve, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** Asks the server at `address` for the agent; its answer. */
export async function dispatch(
  { apiKey, apiSecret }: Access,
  address: string,
  asked: { readonly room: string; readonly agent: string },
): Promise<Response> {
  const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
  token.addGrant({ room: asked.room, roomAdmin: true });
  return await fetch(`${address}/dispatch`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
    body: JSON.stringify(asked),
  });
}

/** The same, of one that is to be sent; its session's id. */
export async function send(...given: Parameters<typeof dispatch>): Promise<string> {
  const response = await dispatch(...given);
  const body = await response.json();
  assert([201, 202].includes(response.status), JSON.stringify(body));
  return body.sessionId;
}

/** Settles with when the agent, by whichever identity or that one, began to say `text`, when it has said it. */
export async function untilSaid(caller: Caller, text: string, by?: string): Promise<number> {
  const said = () =>
    caller.transcripts.find(({ identity, closed, text: shown }) =>
      (by === undefined ? identity !== caller.identity : identity === by) && closed && shown === text
    );
  return (await until(said, `the agent to say ${JSON.stringify(text)}`, 30_000)).atMs;
}

export const write = (caller: Caller, text: string) =>
  caller.room.localParticipant!.sendText(text, { topic: "lk.chat" });

/** What the agent has said, as the caller reads it, piece by piece. */
export const saidTo = (caller: Caller): string[] =>
  caller.transcripts.filter(({ identity }) => identity !== caller.identity).map(({ text }) => text);
