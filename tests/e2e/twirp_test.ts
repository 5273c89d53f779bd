/** LiveKit's own clients, pointed at the real process instead of at LiveKit: the agent comes, is listed, and goes. */
import { JobStatus } from "@livekit/protocol";
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AgentDispatchClient, RoomServiceClient, TwirpError } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { findPythonClient } from "./python_client.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
const python = livekit && await findPythonClient();
const options = { ignore: livekit === undefined };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const { url, httpUrl, apiKey, apiSecret } = livekit ?? { url: "", httpUrl: "", apiKey: "", apiSecret: "" };
const newRoomName = () => `room-${crypto.randomUUID()}`;

async function startAll() {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(await startDeepgramEmulator({ apiKey: "deepgram", transcripts: [] }));
  const model = stack.use(await startOpenAIEmulator({ apiKey: "openai", answer: () => "Yes." }));
  const env = {
    LIVEKIT_URL: url,
    LIVEKIT_API_KEY: apiKey,
    LIVEKIT_API_SECRET: apiSecret,
    OPENAI_API_KEY: "openai",
    OPENAI_BASE_URL: model.url,
    DEEPGRAM_API_KEY: "deepgram",
    DEEPGRAM_BASE_URL: ears.url,
    HOST: "127.0.0.1",
  };
  const server = stack.use(await startServer(env));
  const address = await server.url;
  const started = stack.move();
  return { server, address, env, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** Who is in the room, as LiveKit itself says. */
async function present(room: string): Promise<string[]> {
  const rooms = new RoomServiceClient(httpUrl, apiKey, apiSecret);
  return (await rooms.listParticipants(room)).map(({ identity }) => identity);
}

describe("AgentDispatchClient of livekit-server-sdk", () => {
  it("creates, lists, gets and deletes", options, async () => {
    await using all = await startAll();
    const client = new AgentDispatchClient(all.address, apiKey, apiSecret);
    const room = newRoomName();
    const [created, again] = await Promise.all([
      client.createDispatch(room, "assistant", { metadata: "one" }),
      client.createDispatch(room, "assistant", { metadata: "two" }),
    ]);
    assertEquals(again.id, created.id);
    assertEquals([created.agentName, created.room], ["assistant", room]);
    const identity = created.state?.jobs[0]?.state?.participantIdentity;
    assert(identity, "the dispatch has no job");
    // It is still pending where the agent took more than 2 s to arrive.
    await until(async () => {
      const job = (await client.getDispatch(created.id, room))?.state?.jobs[0];
      return job?.state?.status === JobStatus.JS_RUNNING;
    }, "the job to run");
    assertEquals(await present(room), [identity]);

    assertEquals((await client.listDispatch(room)).map(({ id }) => id), [created.id]);
    assertEquals((await client.getDispatch(created.id, room))?.metadata, created.metadata);
    assertEquals(await client.getDispatch("AD_none", room), undefined);
    assertEquals(await client.listDispatch(newRoomName()), []);

    await client.deleteDispatch(created.id, room);
    assertEquals([await client.listDispatch(room), await present(room)], [[], []]);
    const ended = await until(() => all.server.log.find(({ msg }) => msg === "session ended"), "the end");
    assertEquals(ended.reason, "deleted");
  });

  it("is told in words what it asked for that cannot be", options, async () => {
    await using all = await startAll();
    const client = new AgentDispatchClient(all.address, apiKey, apiSecret);
    const stranger = new AgentDispatchClient(all.address, apiKey, "x".repeat(40));
    const refusals = await Promise.all(
      [
        client.createDispatch("room", "nobody"),
        client.deleteDispatch("AD_none", "room"),
        stranger.createDispatch("room", "assistant"),
      ].map((call) => call.then(() => "answered", (error: unknown) => error)),
    );
    assert(refusals.every((error) => error instanceof TwirpError), String(refusals));
    assertEquals(refusals.map(({ code, status }) => [code, status]), [
      ["not_found", 404],
      ["not_found", 404],
      ["unauthenticated", 401],
    ]);
    assertEquals(refusals[0]?.message.startsWith('There is no agent "nobody"; there is '), true);
  });
});

describe("LiveKit's Python client", () => {
  it("creates, lists, gets and deletes, and is told what cannot be", { ignore: !python }, async () => {
    if (!python) return;
    await using all = await startAll();
    const ask = (...request: string[]) => python(all.address, apiKey, apiSecret, ...request);
    const room = newRoomName();
    const created = await ask("create", room, "assistant", "from Python") as Dispatch;
    assertEquals([created.agentName, created.room, created.metadata], ["assistant", room, "from Python"]);
    const [job] = created.state.jobs;
    assertEquals([job?.state.status, await present(room)], ["JS_RUNNING", [job?.state.participantIdentity]]);
    assertEquals(await ask("list", room), [created]);
    assertEquals(await ask("get", room, created.id), created);
    assertEquals(await ask("get", room, "AD_none"), null);
    const deleted = await ask("delete", room, created.id) as Dispatch;
    assertEquals([deleted.id, deleted.state.jobs[0]?.state.status], [created.id, "JS_SUCCESS"]);
    assertEquals([await ask("list", room), await present(room)], [[], []]);
    const refused = await ask("create", room, "nobody", "") as {
      readonly code: string;
      readonly message: string;
    };
    assertEquals([refused.code, refused.message.startsWith('There is no agent "nobody"')], [
      "not_found",
      true,
    ]);
  });
});

/** What protobuf's JSON says of a dispatch. */
interface Dispatch {
  readonly id: string;
  readonly agentName: string;
  readonly room: string;
  readonly metadata: string;
  readonly state: {
    readonly jobs: readonly {
      readonly state: { readonly status: string; readonly participantIdentity: string };
    }[];
  };
}

describe("deno task dispatch", () => {
  it("sends the agent to the room", options, async () => {
    await using all = await startAll();
    const room = newRoomName();
    const { code, stdout } = await new Deno.Command("deno", {
      args: ["task", "--quiet", "dispatch", room, "assistant", "--metadata", "{}"],
      cwd: new URL("../..", import.meta.url),
      env: { ...all.env, PORT: new URL(all.address).port, NO_COLOR: "1" },
    }).output();
    const words = new TextDecoder().decode(stdout).trim();
    assertEquals([code, words.replace(/session_\S+$/, "")], [0, `assistant is in ${room}: `]);
    assertEquals(await present(room), [`agent-${words.split(": ").at(-1)}`]);
  });
});
